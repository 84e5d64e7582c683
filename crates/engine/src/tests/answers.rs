//! What the core answers: repeats, defects, failed commits, bounded refusals, time.

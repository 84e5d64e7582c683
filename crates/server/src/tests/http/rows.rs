//! The rows of the service's own files, as a busy day leaves them: each is understood, and whatever its bytes become it is refused or
//! stays the same.

use super::scene::{Scene, Sent};
use crate::decoders::tests::damage;

const DAY_MS: i64 = 86_400_000;
/// Rows of a table that are damaged.
const DAMAGED_MAX: usize = 2;
/// Tables that a busy day fills, at least.
const TABLES_MIN: usize = 20;

#[tokio::test]
async fn rows_of_a_busy_day_are_understood_and_damaged_ones_are_refused_or_stay_the_same() {
    let scene = Scene::new().await;
    for deed in &scene.deeds {
        scene.send(deed, Sent::default()).await;
        scene.world.run_due().await;
    }
    scene.world.advance(DAY_MS);
    scene.world.run_due().await;
    let service = scene.world.server.service();
    let mut filled = 0;
    let files = [&service.doors, &*service.work];
    for (file, table) in files.into_iter().flat_map(|file| file.tables().into_iter().map(move |table| (file, table))) {
        let bodies = file.bodies(table).expect("the file is read");
        for body in &bodies {
            assert!(file.check_row(table, body.as_bytes()), "{table}: {body}");
        }
        for body in bodies.iter().take(DAMAGED_MAX) {
            damage(body.as_bytes(), |bytes| file.check_row(table, bytes));
        }
        filled += usize::from(!bodies.is_empty());
    }
    assert!(filled >= TABLES_MIN, "{filled} tables have rows");
}

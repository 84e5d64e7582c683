//! What the end of an anchor file says of the journal beside it: how far it was anchored, or that it is another one.
//!
//! Only what our own key signed for this lane is believed, and only where it names the line before it: whoever may append to
//! the file can neither end the anchoring nor move a journal's past. An audit reads the whole file; a start reads from its
//! end up to the first line that it believes.
//! Start reading at [`Witness::read`], then [`Witness::confirm`].

use crate::anchor::{ANCHOR_LINE_BYTES_MAX, Anchor, line_hash, to_hex};
use crate::store::{Head, StoreError};
use domain::Time;
use ed25519_dalek::VerifyingKey;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// How much of the file is read at a time.
const PIECE_BYTES: u64 = 64 << 10;

/// What an anchor file's end says.
#[derive(Debug)]
pub(crate) struct Witness {
    /// The last anchor that is believed.
    pub(crate) last: Option<Anchor>,
    /// Lines behind it that are not ours, or do not follow the line before them.
    pub(crate) strange: u64,
}

impl Witness {
    /// Reads the end of `file`, which may be missing: anchors of the journal of `domain` in `lane`, signed with `key`.
    pub(crate) fn read(file: &Path, key: &VerifyingKey, domain: &str, lane: u16) -> io::Result<Self> {
        let mut witness = Self { last: None, strange: 0 };
        let mut lines = match File::open(file) {
            Ok(file) => LinesFromEnd::of(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(witness),
            Err(error) => return Err(error),
        };
        // Signed by us, if the line before it is the one that it names.
        let mut signed: Option<Anchor> = None;
        while let Some(line) = lines.earlier()? {
            if line.len() > ANCHOR_LINE_BYTES_MAX {
                witness.strange += 1;
                continue;
            }
            let anchor = match serde_json::from_slice::<Anchor>(&line) {
                Ok(anchor) => anchor,
                // What a crash cut off was never relied on.
                Err(error) if error.is_eof() => continue,
                Err(_) => {
                    witness.strange += 1;
                    continue;
                }
            };
            if let Some(later) = signed.take() {
                if later.previous == line_hash(&line) {
                    witness.last = Some(later);
                    return Ok(witness);
                }
                witness.strange += 1;
            }
            if anchor.is_of(key, domain, lane) {
                signed = Some(anchor);
            } else {
                witness.strange += 1;
            }
        }
        match signed {
            Some(first) if first.previous.is_empty() => witness.last = Some(first),
            Some(_) => witness.strange += 1,
            None => {}
        }
        Ok(witness)
    }

    /// The number of the last record that is anchored.
    pub(crate) fn anchored(&self) -> u64 {
        self.last.as_ref().map_or(0, |anchor| anchor.n)
    }

    /// Refuses a journal that ends before what was anchored, or went another way. `hash_at` gives a record's hash, `file` is
    /// where the anchors are.
    pub(crate) fn confirm(
        &self,
        file: &Path,
        head: Head,
        hash_at: impl FnOnce(u64) -> Result<Option<[u8; 32]>, StoreError>,
    ) -> Result<(), StoreError> {
        let Some(anchor) = &self.last else { return Ok(()) };
        let (n, at) = (anchor.n, Time::from_milliseconds(anchor.at));
        let what = if n > head.place.n {
            format!(
                "the journal ends at record {}, and record {n} of {at} was anchored: an older copy was put back",
                head.place.n
            )
        } else if n > 0 && hash_at(n)?.is_none_or(|hash| to_hex(&hash) != anchor.hash) {
            format!("record {n} is not the one of {at} that was anchored: the journal was put back, or rewritten")
        } else {
            return Ok(());
        };
        Err(StoreError::Damaged(format!(
            "{what}. Put the newest journal back. If it is lost: what the banks moved since then is not in these books, and \
             requests that were answered since then would be carried out again; compare the books with the banks' files before \
             anything else, then move {} away, and the next start begins a new one",
            file.display()
        )))
    }
}

/// The lines of a file, the last one first; without those that are empty. Of a line that is too long its beginning.
struct LinesFromEnd {
    file: File,
    /// Where the first byte is that was read.
    start: u64,
    /// Whole lines that were read, in the order of the file.
    lines: Vec<Vec<u8>>,
    /// A line whose beginning was not read yet.
    rest: Vec<u8>,
}

impl LinesFromEnd {
    fn of(mut file: File) -> io::Result<Self> {
        let start = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, start, lines: Vec::new(), rest: Vec::new() })
    }

    fn earlier(&mut self) -> io::Result<Option<Vec<u8>>> {
        while self.lines.is_empty() && self.start > 0 {
            let length = self.start.min(PIECE_BYTES);
            self.start -= length;
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
            self.file.seek(SeekFrom::Start(self.start))?;
            self.file.read_exact(&mut bytes)?;
            bytes.append(&mut self.rest);
            let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
            if self.start > 0 {
                self.rest = lines.next().unwrap_or_default();
                self.rest.truncate(ANCHOR_LINE_BYTES_MAX + 1);
            }
            self.lines.extend(lines.filter(|line| !line.is_empty()));
        }
        Ok(self.lines.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchor::{self, AnchorOptions, SigningKey};
    use crate::sqlite::SqliteOptions;
    use crate::sqlite::tests::{Bench, Tally};
    use domain::Domain;
    use std::fs;
    use std::path::PathBuf;
    use std::sync::atomic::Ordering;

    fn ours() -> SigningKey {
        SigningKey::from_bytes(&[42; 32])
    }

    fn file(bench: &Bench) -> PathBuf {
        bench.file("anchors")
    }

    fn append(bench: &Bench, key: &SigningKey, domain: &str, head: Head) {
        anchor::append(&file(bench), key, domain, head, None).expect("the anchor is appended");
    }

    fn append_line(bench: &Bench, line: &str) {
        let text = fs::read_to_string(file(bench)).expect("the anchors are read");
        fs::write(file(bench), text + line).expect("the line is appended");
    }

    /// Three records, of which the second and the third are anchored.
    fn bench() -> Bench {
        let mut bench = Bench::new(SqliteOptions::default());
        for counters in [&[1, 1][..], &[2]] {
            bench.commit(counters).expect("the commit is taken");
            append(&bench, &ours(), Tally::NAME, bench.head);
        }
        bench.close();
        bench.options.anchors = Some(AnchorOptions::new(file(&bench), ours()));
        bench
    }

    /// What the file's end says: the last believed record, and the strange lines behind it.
    fn check(bench: &Bench, expected: (u64, u64)) {
        let witness = Witness::read(&file(bench), &ours().verifying_key(), Tally::NAME, 1).expect("it is read");
        assert_eq!((witness.anchored(), witness.strange), expected);
    }

    #[test]
    fn only_what_our_key_signed_is_believed() {
        let bench = bench();
        check(&bench, (3, 0));
        let far = Head { place: crate::Place { lane: 1, n: u64::MAX }, ..bench.head };
        append(&bench, &SigningKey::from_bytes(&[1; 32]), Tally::NAME, far);
        check(&bench, (3, 1));
        append(&bench, &ours(), "another", far);
        append(&bench, &ours(), Tally::NAME, Head { place: crate::Place { lane: 2, n: 9 }, ..far });
        check(&bench, (3, 3));
        append_line(&bench, "garbage\n");
        append_line(&bench, &format!("{}\n", "x".repeat(200_000)));
        check(&bench, (3, 5));
        append_line(&bench, "{\"domain\":\"ta");
        check(&bench, (3, 5));
        // An old line of ours, shown again, does not name the line before it.
        let text = fs::read_to_string(file(&bench)).expect("the anchors are read");
        let first = text.lines().next().expect("a line").to_owned();
        append_line(&bench, &format!("\n{first}\n"));
        check(&bench, (3, 6));
    }

    #[test]
    fn a_file_without_anchors_says_nothing() {
        let bench = bench();
        fs::write(file(&bench), "").expect("it is emptied");
        check(&bench, (0, 0));
        fs::write(file(&bench), "garbage").expect("it is overwritten");
        check(&bench, (0, 1));
        fs::remove_file(file(&bench)).expect("it is removed");
        check(&bench, (0, 0));
    }

    #[test]
    fn anchoring_goes_on_whatever_others_write() {
        let mut bench = bench();
        let far = Head { place: crate::Place { lane: 1, n: u64::MAX }, ..bench.head };
        append(&bench, &SigningKey::from_bytes(&[1; 32]), Tally::NAME, far);
        bench.reopen().expect("the directory opens");
        let gauges = bench.store().gauges();
        assert_eq!(gauges.anchors_strange.load(Ordering::Relaxed), 1);
        assert_eq!(gauges.anchored_record.load(Ordering::Relaxed), 3);
        bench.commit(&[1]).expect("the commit is taken");
        bench.close();
        assert_eq!(gauges.anchored_record.load(Ordering::Relaxed), 4, "the stop anchors");
        assert_eq!(gauges.anchors_strange.load(Ordering::Relaxed), 2, "the line before ours is not ours");
        check(&bench, (4, 0));
    }

    /// The files as they are, to be put back later.
    fn copy(bench: &Bench) -> Vec<(&'static str, Vec<u8>)> {
        ["journal.sqlite", "state.sqlite"]
            .into_iter()
            .map(|name| (name, fs::read(bench.file(name)).expect("the file is read")))
            .collect()
    }

    fn put_back(bench: &Bench, files: &[(&'static str, Vec<u8>)]) {
        for (name, bytes) in files {
            fs::write(bench.file(name), bytes).expect("the file is put back");
        }
    }

    fn refusal(bench: &mut Bench) -> String {
        let before = copy(bench);
        let error = bench.reopen().expect_err("the journal is not the one that was anchored");
        assert!(copy(bench) == before, "a refusal writes nothing");
        error.to_string()
    }

    #[test]
    fn a_journal_that_was_put_back_is_refused() {
        let mut bench = bench();
        let (old, head) = (copy(&bench), bench.head);
        bench.reopen().expect("the directory opens");
        bench.commit(&[1, 2]).expect("the commit is taken");
        bench.close();
        put_back(&bench, &old);
        let words = refusal(&mut bench);
        assert!(words.contains("ends at record 3") && words.contains("record 5 of"), "{words}");

        // Another past of the same length: what was answered from here on has other numbers.
        let anchors = fs::read(file(&bench)).expect("the anchors are read");
        fs::remove_file(file(&bench)).expect("the anchors are moved away");
        bench.head = bench.reopen().expect("without anchors it starts").head;
        assert_eq!(bench.head, head);
        bench.commit(&[7, 7, 7]).expect("the commit is taken");
        bench.close();
        fs::write(file(&bench), anchors).expect("the anchors are put back");
        let words = refusal(&mut bench);
        assert!(words.contains("record 5 is not the one"), "{words}");
    }
}

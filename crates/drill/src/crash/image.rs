//! Crash images: what a disk may hold after power was lost at a moment of a recording.
//!
//! What a sync covered is there. Of the writes after it any may be there, wholly, in part, or not at all; so with
//! truncations, and with names until their directory was synced. Start reading at [`Disk::image`].

use super::recording::{Action, Recording};
use crate::simulate::chance::Chance;
use std::collections::{BTreeMap, BTreeSet};

/// A disk writes this many bytes wholly or not at all.
const SECTOR_BYTES: usize = 512;
/// Garbage that may stand in a file that nobody relies on.
const GARBAGE_BYTES_MAX: u64 = 40_000;

/// A recording as a disk saw it: files, and the names they had.
#[derive(Debug)]
pub struct Disk<'a> {
    recording: &'a Recording,
    files: Vec<File>,
    names: Vec<NameChange>,
    directory_syncs: BTreeMap<String, Vec<usize>>,
}

/// One file, whatever its names: the calls that changed it, and those that made it durable.
#[derive(Debug, Default)]
struct File {
    changes: Vec<usize>,
    syncs: Vec<usize>,
}

#[derive(Debug)]
struct NameChange {
    call: usize,
    name: String,
    names: Named,
    /// The name that this one replaces.
    renamed_from: Option<String>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Nothing,
    Directory,
    File(usize),
}

/// The moments of a recording that matter most.
#[derive(Debug, Default)]
pub struct Moments {
    /// Right before and right after each sync.
    pub syncs: Vec<usize>,
    /// Right after each acknowledgement.
    pub acknowledgements: Vec<usize>,
    /// Every moment.
    pub all: Vec<usize>,
}

/// What the disk holds: the content of each file, by name.
pub type Image = BTreeMap<String, Vec<u8>>;

/// How the writes that nothing covered fare in one image, in per cent.
#[derive(Clone, Copy, Debug)]
struct Luck {
    kept: u64,
    torn: u64,
}

impl<'a> Disk<'a> {
    /// The disk that `recording` was written to.
    pub fn new(recording: &'a Recording) -> Self {
        let mut disk = Self { recording, files: Vec::new(), names: Vec::new(), directory_syncs: BTreeMap::new() };
        let mut current: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, call) in recording.calls.iter().enumerate() {
            match &call.action {
                Action::Create { name, truncates } => {
                    let file = *current.entry(name).or_insert_with(|| disk.link(index, name));
                    if *truncates {
                        disk.files[file].changes.push(index);
                    }
                }
                Action::Write { name, .. } | Action::Truncate { name, .. } => {
                    let file = *current.entry(name).or_insert_with(|| disk.link(index, name));
                    disk.files[file].changes.push(index);
                }
                Action::Sync(name) => match current.get(name.as_str()) {
                    Some(&file) => disk.files[file].syncs.push(index),
                    None => disk.directory_syncs.entry(name.clone()).or_default().push(index),
                },
                Action::Remove(name) => {
                    current.remove(name.as_str());
                    disk.change_name(index, name, Named::Nothing, None);
                }
                Action::Rename { from, to } => {
                    let file = current.remove(from.as_str());
                    if let Some(file) = file {
                        current.insert(to, file);
                    }
                    let names = file.map_or(Named::Directory, Named::File);
                    disk.change_name(index, to, names, Some(from.clone()));
                }
                Action::MakeDirectory(name) => disk.change_name(index, name, Named::Directory, None),
                Action::Acknowledge(_) => {}
            }
        }
        disk
    }

    fn link(&mut self, call: usize, name: &str) -> usize {
        self.files.push(File::default());
        let file = self.files.len() - 1;
        self.change_name(call, name, Named::File(file), None);
        file
    }

    fn change_name(&mut self, call: usize, name: &str, names: Named, renamed_from: Option<String>) {
        self.names.push(NameChange { call, name: name.into(), names, renamed_from });
    }

    /// The moments at which power may fail: a moment lies before the line of its number.
    pub fn moments(&self) -> Moments {
        let mut moments = Moments { all: (0..=self.recording.lines).collect(), ..Moments::default() };
        for call in &self.recording.calls {
            match call.action {
                Action::Sync(_) => moments.syncs.extend([call.last, call.last + 1]),
                Action::Acknowledge(_) => moments.acknowledgements.push(call.first + 1),
                _ => {}
            }
        }
        moments
    }

    /// What was acknowledged, each with the line on which that was said.
    pub fn acknowledged(&self) -> impl Iterator<Item = (usize, &str)> {
        self.recording.calls.iter().filter_map(|call| match &call.action {
            Action::Acknowledge(text) => Some((call.first, text.as_str())),
            _ => None,
        })
    }

    /// How many writes and how many syncs there are.
    pub fn counts(&self) -> (u64, u64) {
        let count = |is: fn(&Action) -> bool| self.recording.calls.iter().filter(|call| is(&call.action)).count();
        let writes = count(|action| matches!(action, Action::Write { .. }));
        let syncs = count(|action| matches!(action, Action::Sync(_)));
        (writes as u64, syncs as u64)
    }

    /// One of the many things that the disk may hold if power fails at `moment`; `chance` chooses.
    pub fn image(&self, moment: usize, chance: &mut Chance) -> Image {
        let kept = *chance.pick(&[0, 0, 15, 50, 85, 100]);
        let luck = Luck { kept, torn: *chance.pick(&[0, 20, 60]) };
        let mut image = Image::new();
        for (name, file) in self.names_at(moment, luck, chance) {
            if name.ends_with("-shm") {
                // Memory shared between processes: it means nothing after a crash, whatever stands there.
                if chance.percent(50) {
                    let length = chance.below(GARBAGE_BYTES_MAX);
                    image.insert(name, (0..length).map(|_| u8::try_from(chance.below(256)).unwrap_or(0)).collect());
                }
                continue;
            }
            let content = self.content(&self.files[file], moment, luck, chance);
            image.insert(name, content);
        }
        image
    }

    /// The files that have names at `moment`: durable changes, then for each name some of the later ones, in their order.
    fn names_at(&self, moment: usize, luck: Luck, chance: &mut Chance) -> BTreeMap<String, usize> {
        let covered: BTreeMap<&str, usize> = self
            .directory_syncs
            .iter()
            .map(|(directory, syncs)| (directory.as_str(), self.covered(syncs, moment)))
            .collect();
        let mut names = BTreeMap::new();
        let mut stopped: BTreeSet<&str> = BTreeSet::new();
        for change in &self.names {
            let call = &self.recording.calls[change.call];
            if call.first >= moment {
                break;
            }
            let covered = covered.get(directory_of(&change.name)).copied().unwrap_or(0);
            if call.last >= covered && (stopped.contains(change.name.as_str()) || !chance.percent(luck.kept)) {
                stopped.insert(&change.name);
                continue;
            }
            if let Some(from) = &change.renamed_from {
                names.remove(from);
            }
            names.insert(change.name.clone(), change.names);
        }
        let is_reached = |name: &str| {
            let mut directory = directory_of(name);
            while !directory.is_empty() && names.get(directory) == Some(&Named::Directory) {
                directory = directory_of(directory);
            }
            directory.is_empty()
        };
        let files = names.iter().filter_map(|(name, named)| match named {
            Named::File(file) if is_reached(name) => Some((name.clone(), *file)),
            Named::File(_) | Named::Directory | Named::Nothing => None,
        });
        files.collect()
    }

    fn content(&self, file: &File, moment: usize, luck: Luck, chance: &mut Chance) -> Vec<u8> {
        let covered = self.covered(&file.syncs, moment);
        let mut content = Vec::new();
        for &change in &file.changes {
            let call = &self.recording.calls[change];
            if call.first >= moment {
                break;
            }
            let is_durable = call.last < covered;
            match &call.action {
                Action::Create { .. } if is_durable || chance.percent(luck.kept) => content.clear(),
                Action::Truncate { length, .. } if is_durable || chance.percent(luck.kept) => {
                    content.resize(usize::try_from(*length).expect("a file of this size is in memory"), 0);
                }
                Action::Write { offset, bytes, .. } => {
                    let at = offset.map_or(content.len(), |offset| usize::try_from(offset).expect("a small file"));
                    if is_durable {
                        put(&mut content, at, bytes);
                    } else {
                        lose(&mut content, at, bytes, luck, chance);
                    }
                }
                _ => {}
            }
        }
        content
    }

    /// The first line of the latest of `syncs` that was over at `moment`: what was over before that line is durable.
    fn covered(&self, syncs: &[usize], moment: usize) -> usize {
        let over = syncs.iter().map(|&sync| &self.recording.calls[sync]).filter(|call| call.last < moment);
        over.map(|call| call.first).max().unwrap_or(0)
    }
}

/// The directory that `name` lies in; empty for the recorded one itself.
fn directory_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// Writes `bytes` at `at`; what lies between the end and there becomes zeros.
fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

/// A write that nothing covered: kept, lost, or torn at the disk's sectors; a lost one may still have made the file longer.
fn lose(content: &mut Vec<u8>, at: usize, bytes: &[u8], luck: Luck, chance: &mut Chance) {
    if chance.percent(luck.torn) {
        let end = at + bytes.len();
        let mut from = at;
        while from < end {
            let to = ((from / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
            if chance.percent(50) {
                put(content, from, &bytes[from - at..to - at]);
            }
            from = to;
        }
    } else if chance.percent(luck.kept) {
        put(content, at, bytes);
    } else if chance.percent(10) {
        let end = at + bytes.len();
        content.resize(content.len().max(end), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::recording::Call;
    use super::*;

    fn write(byte: u8) -> Action {
        Action::Write { name: "f".into(), offset: Some(0), bytes: vec![byte; 1024] }
    }

    fn check(actions: &[Action], moment: usize, possible: impl Fn(&Image) -> bool, seen: &[fn(&Image) -> bool]) {
        let calls = actions
            .iter()
            .enumerate()
            .map(|(line, action)| Call { first: line, last: line, action: action.clone() })
            .collect();
        let recording = Recording { calls, lines: actions.len() };
        let disk = Disk::new(&recording);
        let images: Vec<Image> = (0..400).map(|seed| disk.image(moment, &mut Chance::new(seed))).collect();
        assert!(images.iter().all(possible), "an image shows what cannot be");
        for (index, seen) in seen.iter().enumerate() {
            assert!(images.iter().any(seen), "no image shows case {index}");
        }
    }

    #[test]
    fn what_was_synced_stays_and_what_was_not_may_be_lost_or_torn() {
        let actions = [
            Action::Create { name: "f".into(), truncates: false },
            write(1),
            Action::Sync("f".into()),
            Action::Sync(String::new()),
            write(2),
        ];
        let content = |image: &Image| image["f"].clone();
        check(&actions, 4, |image| content(image) == [1; 1024], &[]);
        check(
            &actions,
            5,
            |image| content(image).chunks(512).all(|sector| sector == [1; 512] || sector == [2; 512]),
            &[
                |image| image["f"] == [1; 1024],
                |image| image["f"] == [2; 1024],
                |image| image["f"][..512] == [1; 512] && image["f"][512..] == [2; 512],
            ],
        );
    }

    #[test]
    fn a_name_is_sure_once_its_directory_was_synced() {
        let actions = [
            Action::Create { name: "f".into(), truncates: false },
            write(1),
            Action::Sync("f".into()),
            Action::Sync(String::new()),
            Action::Remove("f".into()),
            Action::Create { name: "f".into(), truncates: false },
        ];
        check(&actions, 3, |_| true, &[BTreeMap::is_empty, |image| image.len() == 1]);
        check(&actions, 4, |image| image["f"] == [1; 1024], &[]);
        check(
            &actions,
            6,
            |image| image.get("f").is_none_or(|content| *content == [1; 1024] || content.is_empty()),
            &[BTreeMap::is_empty, |image| image["f"].is_empty(), |image| image["f"].len() == 1024],
        );
    }
}

//! Whether the write-ahead log is whole, or its tail torn: before SQLite sees it.
//!
//! SQLite takes a WAL up to the first frame that fails its check and drops the rest without a word.
//! Of a torn tail that is right: the last transaction was never durable, and nobody was answered.
//! Where more than one transaction stands behind such a frame, the first of them was synced before
//! the next began: then what was acknowledged is damaged, and that is said. Source:
//! <https://sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::schema::PAGE_BYTES;

/// Length of the header of the file, and of that of a frame, in bytes.
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Whoever stands behind a bad frame was never durable if there is but one.
const DURABLE: usize = 2;

/// What is wrong with a WAL; `None` if it is whole, torn at its end, or not there.
pub(super) fn damage(wal: &Path) -> io::Result<Option<String>> {
    let file = match File::open(wal) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    scan(file)
}

fn scan(mut file: impl Read) -> io::Result<Option<String>> {
    let Some(header) = take(&mut file, HEADER)? else { return Ok(None) };
    let order = Order::of(word(&header, 0));
    let own = order.sum((0, 0), header.get(..HEADER - 8).unwrap_or_default());
    let whole = (word(&header, 24), word(&header, 28)) == own && order.is_known();
    let page = usize::try_from(PAGE_BYTES).unwrap_or(0);
    let mut scan = Scan {
        order,
        salts: whole.then(|| (word(&header, 16), word(&header, 20))),
        // Of what goes before the next frame, if it can be known.
        before: whole.then_some(own),
        bad: (!whole).then_some(0),
        run: 0,
        longest: 0,
    };
    let mut number = 0;
    while let Some(frame) = take(&mut file, FRAME_HEADER + page)? {
        number += 1;
        scan.frame(number, &frame);
    }
    Ok(scan.damage(number))
}

/// So many bytes; `None` if there are fewer.
fn take(file: &mut impl Read, count: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; count];
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_be_bytes(*word))
}

struct Scan {
    order: Order,
    /// Of the present life of the WAL; behind it may lie frames of an earlier one.
    salts: Option<(u32, u32)>,
    before: Option<(u32, u32)>,
    /// The first frame that is not as it should be; 0 for the header.
    bad: Option<usize>,
    /// Transactions that end in the frames which join on to each other, behind the bad one.
    run: usize,
    longest: usize,
}

impl Scan {
    fn frame(&mut self, number: usize, frame: &[u8]) {
        let (head, page) = frame.split_at(FRAME_HEADER);
        let salts = (word(head, 8), word(head, 12));
        // If the header is damaged, the first frame tells.
        let ours = *self.salts.get_or_insert(salts) == salts;
        let stored = (word(head, 16), word(head, 20));
        let joins = self.before.is_none_or(|before| {
            let sum = self.order.sum(before, head.get(..8).unwrap_or_default());
            self.order.sum(sum, page) == stored
        });
        if !(ours && joins) {
            self.bad.get_or_insert(number);
            self.run = 0;
        }
        if self.bad.is_some() && ours && word(head, 4) != 0 {
            self.run += 1;
            self.longest = self.longest.max(self.run);
        }
        self.before = Some(stored);
    }

    fn damage(&self, frames: usize) -> Option<String> {
        let bad = self.bad.filter(|_| self.longest >= DURABLE)?;
        let place = if bad == 0 { "its header".to_owned() } else { format!("frame {bad}") };
        Some(format!("{place} of {frames} frames, and transactions that were durable stand behind"))
    }
}

/// In which order the words are taken that are summed up.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
    Unknown,
}

impl Order {
    fn of(magic: u32) -> Self {
        match magic {
            0x377f_0682 => Self::Little,
            0x377f_0683 => Self::Big,
            _ => Self::Unknown,
        }
    }

    fn is_known(self) -> bool {
        !matches!(self, Self::Unknown)
    }

    fn sum(self, (mut one, mut two): (u32, u32), bytes: &[u8]) -> (u32, u32) {
        let (pairs, _) = bytes.as_chunks::<8>();
        for pair in pairs {
            let [a, b, c, d, e, f, g, h] = *pair;
            let (first, second) = match self {
                Self::Big => (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])),
                // What writes a WAL here sums in the order of its machine.
                Self::Little | Self::Unknown => {
                    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
                }
            };
            one = one.wrapping_add(first).wrapping_add(two);
            two = two.wrapping_add(second).wrapping_add(one);
        }
        (one, two)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;

    /// A WAL of so many transactions, of a frame or two each.
    fn wal(transactions: usize) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let store = Connection::open(&path).unwrap();
        store.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(x)").unwrap();
        for _ in 1..transactions {
            store.execute("INSERT INTO t VALUES (zeroblob(1000))", []).unwrap();
        }
        fs::read(folder.path().join("store-wal")).unwrap()
    }

    fn scan_of(bytes: &[u8]) -> Option<String> {
        scan(bytes).unwrap()
    }

    #[test]
    fn a_whole_wal_and_every_shorter_one_pass() {
        let whole = wal(4);

        for length in (0..whole.len()).step_by(500).chain([whole.len()]) {
            assert_eq!(scan_of(&whole[..length]), None, "{length} of {}", whole.len());
        }
    }

    #[test]
    fn a_flipped_bit_before_two_transactions_is_damage() {
        let whole = wal(6);

        for at in [0, 13, 18, 30, HEADER + 2, HEADER + 9, HEADER + 20, HEADER + 2000] {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            let place = if at < HEADER { "its header" } else { "frame 1" };
            assert!(scan_of(&flipped).is_some_and(|damage| damage.contains(place)), "byte {at}");
        }
    }

    #[test]
    fn a_torn_last_transaction_is_none() {
        let mut torn = wal(6);
        let last = torn.len() - 100;
        torn[last] ^= 4;

        assert_eq!(scan_of(&torn), None);
    }

    #[test]
    fn frames_of_an_earlier_life_are_none() {
        let (mut now, earlier) = (wal(3), wal(9));
        let length = now.len();
        now.extend_from_slice(&earlier[length..]);

        assert_eq!(scan_of(&now), None);
    }
}

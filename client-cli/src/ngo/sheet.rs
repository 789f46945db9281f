//! A CSV file as rows of cells, each with the line of the file it begins at.
//!
//! What a spreadsheet program does to a file (a mark at its start, semicolons, CRLF, empty rows at
//! its end, cells of several lines) is undone here; what a cell may say is `cell`'s to judge.

use std::fmt;

use serde::Serialize;

use crate::say::one_line;

/// Characters of an unknown column's name that are said of it.
const MAX_SHOWN: usize = 40;

/// Columns of a list: far more than those that are known, and than a person has to take out.
const MAX_COLUMNS: usize = 256;

/// The columns, by name in the first row, in any order. Those after the first ten may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// The programme's own code for the family.
    CaseCode,
    /// Number in the family, from 1.
    Member,
    /// Parent, caregiver or child.
    Role,
    /// Stays on this machine and on the cards.
    Name,
    /// IANA.
    TimeZone,
    /// BCP 47.
    Language,
    /// Label of the phone; members of a family with the same label share it.
    Device,
    /// Name of a phone that several families share.
    SharedDevice,
    /// Date of the consent; of a child the guardian's.
    ConsentOn,
    /// Date of the child's assent.
    AssentOn,
    /// Date of birth; stays on this machine but for a child's month, where the programme has a jurisdiction.
    BornOn,
    /// Date of the consent to counting; of a child the guardian's.
    CountingOn,
    /// Date of the child's assent to counting.
    CountingAssentOn,
    /// Code of the family's site.
    Site,
    /// When the family means to hear each other.
    Plan,
    /// Number of the text by which consent was given.
    ConsentText,
    /// How it was.
    ConsentHow,
    /// Whether a witness was there.
    ConsentWitness,
    /// Day from which on it holds no more.
    ConsentUntil,
    /// Who looks after the family's children.
    Care,
}

impl Column {
    /// All, in the order of their cells in a [`Row`].
    pub(super) const ALL: [Self; 20] = [
        Self::CaseCode,
        Self::Member,
        Self::Role,
        Self::Name,
        Self::TimeZone,
        Self::Language,
        Self::Device,
        Self::SharedDevice,
        Self::ConsentOn,
        Self::AssentOn,
        Self::BornOn,
        Self::CountingOn,
        Self::CountingAssentOn,
        Self::Site,
        Self::Plan,
        Self::ConsentText,
        Self::ConsentHow,
        Self::ConsentWitness,
        Self::ConsentUntil,
        Self::Care,
    ];

    /// Whether a list may do without it.
    fn is_optional(self) -> bool {
        self as usize > Self::AssentOn as usize
    }

    /// As in the first row of the file.
    #[must_use]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CaseCode => "case_code",
            Self::Member => "member",
            Self::Role => "role",
            Self::Name => "name",
            Self::TimeZone => "time_zone",
            Self::Language => "language",
            Self::Device => "device",
            Self::SharedDevice => "shared_device",
            Self::ConsentOn => "consent_on",
            Self::AssentOn => "assent_on",
            Self::BornOn => "born_on",
            Self::CountingOn => "counting_on",
            Self::CountingAssentOn => "counting_assent_on",
            Self::Site => "site",
            Self::Plan => "plan",
            Self::ConsentText => "consent_text",
            Self::ConsentHow => "consent_how",
            Self::ConsentWitness => "consent_witness",
            Self::ConsentUntil => "consent_until",
            Self::Care => "care",
        }
    }
}

/// Something to be said about one cell, row or file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Line of the file at which the row begins; the column names stand in line 1.
    pub(super) row: usize,
    /// Name of the column; of a whole row or file its first.
    pub(super) column: String,
    /// What is wrong, or to be known, and what to do.
    pub(super) reason: String,
    /// The family, where the row says which.
    pub(super) case_code: Option<String>,
}

impl Finding {
    /// One about a column of a row.
    pub(super) fn new(row: usize, column: Column, reason: impl fmt::Display) -> Self {
        Self { row, column: column.name().into(), reason: reason.to_string(), case_code: None }
    }
}

/// A row as it stands in the file; whether it has too few cells, or too many, it says itself.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Line of the file at which it begins.
    pub(super) line: usize,
    /// In the order of [`Column::ALL`]; a cell that is not there is empty.
    cells: [String; Column::ALL.len()],
    /// Set if it has another number of cells than the first row.
    pub(super) misshapen: Option<String>,
}

impl Row {
    /// The cell as it stands in the file.
    pub(super) fn cell(&self, column: Column) -> &str {
        self.cells.get(column as usize).map_or("", String::as_str)
    }
}

/// Reads the whole file; empty rows are passed over.
///
/// # Errors
///
/// What makes the file as a whole unreadable: its encoding, or its first row.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Row>, Vec<Finding>> {
    let text = decode(bytes).map_err(|finding| vec![finding])?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(sniff_delimiter(text))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    let mut places: Option<Vec<Option<usize>>> = None;
    let mut width = 0;
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).expect("memory reads, and the text is UTF-8") {
        let start = record.position().map_or(0, csv::Position::byte);
        let line = lines.of_record(usize::try_from(start).expect("the file is in memory"));
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if let Some(places) = &places {
            rows.push(row(&record, line, places, width));
        } else {
            width = record.len();
            places = Some(find_columns(&record, line)?);
        }
    }
    match places {
        Some(_) if !rows.is_empty() => Ok(rows),
        Some(_) => {
            Err(vec![Finding::new(1, Column::CaseCode, "the file has no row but the first")])
        }
        None => Err(vec![Finding::new(1, Column::CaseCode, "the file is empty")]),
    }
}

fn row(record: &csv::StringRecord, line: usize, places: &[Option<usize>], width: usize) -> Row {
    let mut cells: [String; Column::ALL.len()] = Default::default();
    for (cell, place) in cells.iter_mut().zip(places) {
        *cell = place.and_then(|place| record.get(place)).unwrap_or_default().to_owned();
    }
    let more = record.iter().skip(width).any(|cell| !cell.trim().is_empty());
    let misshapen = (record.len() < width || more).then(|| {
        let has = record.len();
        format!(
            "the row has {has} cells, the first row {width}: is a separator or a quote missing?"
        )
    });
    Row { line, cells, misshapen }
}

/// Where each of [`Column::ALL`] stands in a record, if it does.
fn find_columns(
    header: &csv::StringRecord,
    line: usize,
) -> Result<Vec<Option<usize>>, Vec<Finding>> {
    if header.len() > MAX_COLUMNS {
        let reason = format!("the first row has more than {MAX_COLUMNS} cells: is it a list?");
        return Err(vec![Finding::new(line, Column::CaseCode, reason)]);
    }
    let names: Vec<_> = header.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
    let mut faults = Vec::new();
    let mut fault = |column: &str, reason: &str| {
        let (column, reason) = (column.into(), reason.into());
        faults.push(Finding { row: line, column, reason, case_code: None });
    };
    for (place, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        if !Column::ALL.iter().any(|column| column.name() == name) {
            let shown = one_line(&name.chars().take(MAX_SHOWN).collect::<String>());
            fault(&shown, "unknown column: take it out, or correct its name");
        } else if names.iter().take(place).any(|earlier| earlier == name) {
            fault(name, "the column stands twice in the first row");
        }
    }
    let mut places = Vec::new();
    for column in Column::ALL {
        match names.iter().position(|name| name == column.name()) {
            Some(place) => places.push(Some(place)),
            None if column.is_optional() => places.push(None),
            None => fault(column.name(), "missing column: its name must stand in the first row"),
        }
    }
    if faults.is_empty() { Ok(places) } else { Err(faults) }
}

fn decode(bytes: &[u8]) -> Result<&str, Finding> {
    let save_as = "save it as \"CSV UTF-8\"";
    let fault = |row, reason| Err(Finding::new(row, Column::CaseCode, reason));
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0) {
        return fault(1, format!("the file is UTF-16, or no text: {save_as}"));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return fault(1, format!("the file is a spreadsheet, not CSV: {save_as}"));
    }
    std::str::from_utf8(bytes).or_else(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let mut lines = Lines { text: good, at: 0, line: 1 };
        fault(lines.up_to(good.len()), format!("the file is not UTF-8 from here on: {save_as}"))
    })
}

/// The separator that stands most often in the first line.
fn sniff_delimiter(text: &str) -> u8 {
    let first = text.trim_start_matches(['\r', '\n']).lines().next().unwrap_or_default();
    let count = |delimiter: u8| first.bytes().filter(|&byte| byte == delimiter).count();
    // Of equals the last wins, so a file of one column is read as separated by commas.
    *b"\t;,".iter().max_by_key(|&&delimiter| count(delimiter)).unwrap_or(&b',')
}

/// Counts lines; the csv crate's own count lags behind after CRLF and after empty lines.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of the record that the csv crate says begins at `start`.
    fn of_record(&mut self, start: usize) -> usize {
        let rest = self.text.get(start..).unwrap_or_default();
        let skipped = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.up_to(start.saturating_add(skipped))
    }

    fn up_to(&mut self, place: usize) -> usize {
        let passed = self.text.get(self.at..place).unwrap_or_default();
        let after = passed.iter().skip(1).chain(self.text.get(place));
        let ends = passed.iter().zip(after.map(Some).chain([None]));
        let ends = ends.filter(|(byte, next)| match byte {
            b'\n' => true,
            b'\r' => *next != Some(&b'\n'),
            _ => false,
        });
        self.line = self.line.saturating_add(ends.count());
        self.at = self.at.max(place);
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "case_code,member,role,name,time_zone,language,device,shared_device,\
                          consent_on,assent_on";

    fn lines_of(text: &str) -> Vec<(usize, String)> {
        let rows = read(text.as_bytes()).unwrap();
        rows.iter().map(|row| (row.line, row.cell(Column::Name).to_owned())).collect()
    }

    #[test]
    fn rows_are_numbered_as_the_lines_of_the_file() {
        let cases = [
            ("LF", format!("{HEADER}\nA,1,,x,,,,,,\nA,2,,y,,,,,,\n"), vec![2, 3]),
            ("CRLF", format!("{HEADER}\r\nA,1,,x,,,,,,\r\nA,2,,y,,,,,,\r\n"), vec![2, 3]),
            ("CR alone", format!("{HEADER}\rA,1,,x,,,,,,\rA,2,,y,,,,,,\r"), vec![2, 3]),
            ("no end", format!("{HEADER}\nA,1,,x,,,,,,\nA,2,,y,,,,,,"), vec![2, 3]),
            ("empty lines", format!("{HEADER}\n\nA,1,,x,,,,,,\n\n\nA,2,,y,,,,,,\n"), vec![3, 6]),
            (
                "empty lines, CRLF",
                format!("{HEADER}\r\n\r\nA,1,,x,,,,,,\r\n\r\nA,2,,y,,,,,,"),
                vec![3, 5],
            ),
            (
                "empty rows",
                format!("{HEADER}\n,,,,,,,,,\nA,1,,x,,,,,,\nA,2,,y,,,,,,\n"),
                vec![3, 4],
            ),
            ("quoted lines", format!("{HEADER}\nA,1,,\"x\nx\",,,,,,\nA,2,,y,,,,,,\n"), vec![2, 4]),
            (
                "quoted lines, CRLF",
                format!("{HEADER}\r\nA,1,,\"x\r\nx\r\nx\",,,,,,\r\nA,2,,y,,,,,,\r\n"),
                vec![2, 5],
            ),
        ];

        for (label, text, expected) in cases {
            let lines: Vec<_> = lines_of(&text).into_iter().map(|(line, _)| line).collect();

            assert_eq!(lines, expected, "{label}");
        }
    }

    #[test]
    fn what_a_spreadsheet_program_does_to_a_file_is_undone() {
        let plain = format!("{HEADER}\nA,1,,莉莉,,,,,,\n");
        let cases = [
            ("plain", plain.clone()),
            ("a mark at the start", format!("\u{feff}{plain}")),
            ("semicolons", plain.replace(',', ";")),
            ("tabs", plain.replace(',', "\t")),
            (
                "a mark, semicolons, CRLF",
                format!("\u{feff}{plain}").replace(',', ";").replace('\n', "\r\n"),
            ),
            ("empty cells at the end", plain.replace('\n', ",,\n")),
            ("capitals and spaces in the first row", plain.replace("name", " Name ")),
        ];

        for (label, text) in cases {
            assert_eq!(lines_of(&text), [(2, "莉莉".to_owned())], "{label}");
        }
    }

    #[test]
    fn columns_stand_in_any_order() {
        let mut names: Vec<_> = Column::ALL.iter().map(|column| column.name()).collect();
        names.reverse();
        let text = format!("{}\n,,,,,,,,,,,,,,,,莉莉,,,A\n", names.join(","));

        let rows = read(text.as_bytes()).unwrap();

        assert_eq!(rows[0].cell(Column::Name), "莉莉");
        assert_eq!(rows[0].cell(Column::CaseCode), "A");
    }

    #[test]
    fn a_file_that_cannot_be_read_says_why() {
        let utf16: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let gbk = [HEADER.as_bytes(), b"\nA,1,,\xc0\xf2\xc0\xf2,,,,,,\n"].concat();
        let cases: [(&str, Vec<u8>, usize, &str, &str); 9] = [
            ("empty", b"".to_vec(), 1, "case_code", "the file is empty"),
            ("first row only", HEADER.into(), 1, "case_code", "no row but the first"),
            ("UTF-16 with its mark", [b"\xff\xfe", &*utf16].concat(), 1, "case_code", "UTF-16"),
            ("UTF-16 without", utf16, 1, "case_code", "UTF-16"),
            ("GBK", gbk, 2, "case_code", "not UTF-8 from here on"),
            ("a workbook", b"PK\x03\x04xyz".to_vec(), 1, "case_code", "a spreadsheet"),
            ("unknown", format!("{HEADER},phone\nA\n").into(), 1, "phone", "unknown column"),
            ("twice", format!("{HEADER},name\nA\n").into(), 1, "name", "twice"),
            ("missing", HEADER.replace(",role", "").into(), 1, "role", "missing column"),
        ];

        for (label, bytes, row, column, reason) in cases {
            let faults = read(&bytes).unwrap_err();

            assert_eq!((faults[0].row, &*faults[0].column), (row, column), "{label}");
            assert!(faults[0].reason.contains(reason), "{label}: {}", faults[0].reason);
        }
    }

    #[test]
    fn a_row_of_another_length_says_so() {
        let text = format!("{HEADER}\nA,1,,x\nA,2,,y,,,,,,,more\nA,3,,z,,,,,,\n");

        let rows = read(text.as_bytes()).unwrap();

        let misshapen: Vec<_> = rows.iter().map(|row| row.misshapen.is_some()).collect();
        assert_eq!(misshapen, [true, true, false]);
    }
}

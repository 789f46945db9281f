//! What of Jiashu runs in a browser, for the relay to hand out: bundled from `src/` (TypeScript) and packed when this
//! crate is built. Nothing here runs it, and nothing of it is chosen here: which page takes which is the relay's.

/// A file for browsers. Its name changes with its content, so it may be kept for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asset {
    /// The page that it is for: `enrol`.
    pub page: &'static str,
    /// `enrol-HASH.js`; between quotes it is its own ETag.
    pub name: &'static str,
    /// Value of `Content-Type`.
    pub media_type: &'static str,
    /// The bytes.
    pub plain: &'static [u8],
    /// The same, as `Content-Encoding: gzip` has it.
    pub gzip: &'static [u8],
    /// The same, as `Content-Encoding: br` has it.
    pub brotli: &'static [u8],
}

/// All of them, by name.
pub const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The one of that name, as it stands in an address.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// The script of a page.
#[must_use]
pub fn of_page(page: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.page == page)
}

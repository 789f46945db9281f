//! What of Jiashu runs in a browser, for the relay to hand out: bundled from `src/` (TypeScript) and packed when this
//! crate is built. Nothing here runs it, and nothing of it is chosen here: which page takes which is the relay's.

/// A file for browsers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asset {
    /// What it is, whatever its content: `enrol.js`.
    pub stem: &'static str,
    /// `enrol-HASH.js`, another for another content; between quotes it is its own ETag.
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

/// What is asked for by its whole name, and may be kept for ever: scripts, the words of a language, pictures.
pub const FILES: &[Asset] = include!(concat!(env!("OUT_DIR"), "/work/dist/files.rs"));

/// What stands at an address that stays: pages, the service worker, the manifest.
pub const PAGES: &[Asset] = include!(concat!(env!("OUT_DIR"), "/work/dist/pages.rs"));

/// The file of that name, as it stands in an address.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Asset> {
    FILES.iter().find(|asset| asset.name == name)
}

/// The file that is this, whatever its content.
#[must_use]
pub fn file(stem: &str) -> Option<&'static Asset> {
    FILES.iter().find(|asset| asset.stem == stem)
}

/// The page that is this, whatever its content.
#[must_use]
pub fn page(stem: &str) -> Option<&'static Asset> {
    PAGES.iter().find(|asset| asset.stem == stem)
}

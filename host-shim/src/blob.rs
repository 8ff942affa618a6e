// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Loader: turns the bytes of an ELF file into a [`Blob`] that is safe to map, or says why not.
//!
//! The file may be damaged or hostile. Everything that the engine relies on later (segments inside
//! the blob's space, page-aligned, apart, never writable and executable; vectors where the entry
//! point says; a note that this shim understands) is checked here, once.

use fakemon_abi::layout::{
    BLOB_MAX_IMAGE, BLOB_SPACE, HYP_VECTORS, MAX_STACK, MONITOR_BASE, VECTOR_ALIGN,
};
use fakemon_abi::note::{self, MAX_RANGES, Note, Range};
use fakemon_abi::{ABI_VERSION, compatible, version};
use object::LittleEndian;
use object::elf::{self, ProgramHeader64};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader, SectionHeader, Sym};

use crate::tables::{Access, PAGE};
use crate::width::{Conduit, Width};

/// Why a file is not a blob that this shim can run. It is the blob's fault throughout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The bytes are not an ELF file, or a damaged one.
    #[error("not a readable ELF file: {0}; build the blob again with `cargo xtask blob`")]
    Elf(String),
    /// An ELF file for something else.
    #[error("not a bare-metal AArch64 executable ({0})")]
    Kind(&'static str),
    /// The file has no Fake Monitor note, or one of the wrong size.
    #[error(
        "no {owner} note in the file: it is not a Fake Monitor blob",
        owner = "FakeMonitor"
    )]
    NoNote,
    /// The blob was built for another version of the ABI.
    #[error(
        "the blob speaks ABI {}.{}, this host speaks {}.{}; build both from the same release",
        .0 >> 16, .0 & 0xffff, ABI_VERSION >> 16, ABI_VERSION & 0xffff
    )]
    Version(u32),
    /// A field of the note has a value that this shim does not understand.
    #[error("the blob's note is not valid: {0}")]
    Note(&'static str),
    /// A loadable segment is where it must not be, or is mapped as it must not be.
    #[error("the blob's segment at {address:#x} {problem}")]
    Segment {
        /// Its virtual address.
        address: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The entry point is not a vector table.
    #[error("the blob's entry point {0:#x} is not a 2 KiB aligned vector table in its code")]
    Vectors(u64),
    /// There is more text and data than a blob may have.
    #[error("the blob has {0} bytes of text and data, at most {BLOB_MAX_IMAGE} are allowed")]
    TooLarge(u64),
}

/// The most symbols that are taken from a blob: real ones have a few hundred.
const MAX_SYMBOLS: usize = 1 << 16;
/// The most characters of a symbol's name that are shown.
const MAX_SYMBOL: usize = 200;

/// One loadable segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// Address in the monitor VM, a multiple of [`PAGE`].
    pub(crate) address: u64,
    /// Initial contents; the rest up to `size` is zero.
    pub(crate) data: Vec<u8>,
    /// Bytes in memory, a multiple of [`PAGE`].
    pub(crate) size: u64,
    pub(crate) access: Access,
}

/// A checked blob, ready to be mapped into any number of monitor VMs.
///
/// ```no_run
/// use fakemon_host::Blob;
///
/// let blob = Blob::parse(&std::fs::read("virt.elf")?)?;
/// println!("{} serves {} ranges of calls", blob.board(), blob.ranges().len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Blob {
    segments: Vec<Segment>,
    note: Note,
    vectors: u64,
    symbols: Vec<(u64, String)>,
}

impl Blob {
    /// Checks the bytes of an ELF file and takes from it what is needed.
    ///
    /// # Errors
    /// One of [`BlobError`], whatever the bytes are; it never panics.
    pub fn parse(bytes: &[u8]) -> Result<Blob, BlobError> {
        let file: ElfFile64<LittleEndian> = ElfFile64::parse(bytes).map_err(unreadable)?;
        let header = file.elf_header();
        if header.e_machine(LittleEndian) != elf::EM_AARCH64 {
            return Err(BlobError::Kind("its machine is another"));
        }
        if header.e_type(LittleEndian) != elf::ET_EXEC {
            return Err(BlobError::Kind("it is not linked to a fixed address"));
        }
        let headers = file.elf_program_headers();
        let note = find_note(headers, bytes)?;
        check_note(&note)?;
        let segments = load_segments(headers, bytes)?;
        let vectors = header.e_entry(LittleEndian);
        let tables = if note.conduits & note::CONDUIT_HVC != 0 {
            HYP_VECTORS + 0x800
        } else {
            0x800
        };
        if vectors % VECTOR_ALIGN != 0 || !is_code(&segments, vectors, tables) {
            return Err(BlobError::Vectors(vectors));
        }
        Ok(Blob {
            segments,
            note,
            vectors,
            symbols: symbols(&file, bytes).unwrap_or_default(),
        })
    }

    /// What the blob says of itself.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Name of the board that the blob was built for.
    pub fn board(&self) -> &str {
        let name = &self.note.board;
        let end = name
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(name.len());
        std::str::from_utf8(&name[..end]).unwrap_or_default()
    }

    /// The function that holds `address`, and the distance from its start in bytes.
    pub fn symbol(&self, address: u64) -> Option<(&str, u64)> {
        let inside = is_code(&self.segments, address, 1);
        let after = self.symbols.partition_point(|&(start, _)| start <= address);
        let (start, name) = self.symbols.get(after.checked_sub(1)?).filter(|_| inside)?;
        Some((name, address - start))
    }

    /// The ranges of function IDs that the blob claims.
    pub fn ranges(&self) -> &[Range] {
        &self.note.ranges[..self.note.range_count as usize]
    }

    /// The claimed range that a call falls into, if its conduit is served at all.
    pub(crate) fn claim(&self, function: u32, conduit: Conduit) -> Option<Range> {
        let served = self.note.conduits & conduit.note_bit() != 0;
        let mut ranges = self.ranges().iter().filter(|_| served);
        ranges
            .find(|range| (range.first..=range.last).contains(&function))
            .copied()
    }

    /// What it remembers before its first call, in the form of `World::data`.
    pub fn data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for segment in self.data_segments() {
            let end = data.len() + segment.size as usize;
            data.extend(&segment.data);
            data.resize(end, 0);
        }
        data
    }

    /// Bytes of that.
    pub fn data_size(&self) -> usize {
        let sizes = self.data_segments().map(|segment| segment.size as usize);
        sizes.sum()
    }

    /// The segments that it can write, in the order of the file.
    pub(crate) fn data_segments(&self) -> impl Iterator<Item = &Segment> {
        let segments = self.segments.iter();
        segments.filter(|segment| matches!(segment.access, Access::Write))
    }

    /// Tells whether the blob has a place for entries without a call, which is new in version 1.3.
    pub(crate) fn takes_entries(&self) -> bool {
        self.note.abi >= version(1, 3)
    }

    /// Tells whether callers of this width may enter.
    pub fn serves(&self, width: Width) -> bool {
        self.note.callers & width.note_bit() != 0
    }

    /// Address of the vector table for SMC.
    pub(crate) fn vectors(&self) -> u64 {
        self.vectors
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

fn unreadable(error: object::Error) -> BlobError {
    BlobError::Elf(error.to_string().to_lowercase())
}

fn find_note(headers: &[ProgramHeader64<LittleEndian>], bytes: &[u8]) -> Result<Note, BlobError> {
    for header in headers {
        let Some(mut notes) = header.notes(LittleEndian, bytes).map_err(unreadable)? else {
            continue;
        };
        while let Some(found) = notes.next().map_err(unreadable)? {
            // `object` strips the owner's terminating NUL.
            let ours = found.name() == &note::OWNER[..note::OWNER.len() - 1];
            if ours && found.n_type(LittleEndian).0 == note::NOTE_TYPE {
                return read_note(found.desc()).ok_or(BlobError::NoNote);
            }
        }
    }
    Err(BlobError::NoNote)
}

/// Decodes a descriptor field by field; [`None`] when it has another size.
fn read_note(desc: &[u8]) -> Option<Note> {
    if desc.len() != size_of::<Note>() {
        return None;
    }
    let word = |at: usize| u32::from_le_bytes([desc[at], desc[at + 1], desc[at + 2], desc[at + 3]]);
    let half = |at: usize| u16::from_le_bytes([desc[at], desc[at + 1]]);
    let mut ranges = [Range::default(); MAX_RANGES];
    for (index, range) in ranges.iter_mut().enumerate() {
        let at = std::mem::offset_of!(Note, ranges) + index * size_of::<Range>();
        *range = Range {
            first: word(at),
            last: word(at + 4),
            inputs: half(at + 8),
            outputs: half(at + 10),
        };
    }
    Some(Note {
        abi: word(0),
        conduits: word(4),
        window: word(8),
        callers: word(12),
        guest_memory: word(16),
        stack: word(20),
        range_count: word(24),
        reserved: word(28),
        board: desc[32..64].try_into().ok()?,
        ranges,
    })
}

fn check_note(note: &Note) -> Result<(), BlobError> {
    if !compatible(note.abi) {
        return Err(BlobError::Version(note.abi));
    }
    let refuse = |why| Err(BlobError::Note(why));
    let name_end = note.board.iter().position(|&byte| byte == 0);
    match name_end {
        Some(end) if end > 0 && note.board[..end].iter().all(u8::is_ascii_graphic) => {}
        _ => return refuse("the board's name is not 1 to 31 printable characters"),
    }
    if note.reserved != 0 {
        return refuse("a reserved field is not zero");
    }
    if note.conduits == 0 || note.conduits & !(note::CONDUIT_SMC | note::CONDUIT_HVC) != 0 {
        return refuse("unknown conduits");
    }
    if note.callers == 0 || note.callers & !(note::CALLER_AARCH64 | note::CALLER_AARCH32) != 0 {
        return refuse("unknown caller widths");
    }
    if note.guest_memory > note::GUEST_MEMORY_WRITE {
        return refuse("unknown access to guest memory");
    }
    if note.stack == 0 || !note.stack.is_multiple_of(PAGE as u32) || note.stack > MAX_STACK {
        return refuse("the stack is not a multiple of 4096 up to 49152 bytes");
    }
    let Some((inputs, outputs)) = note::window_registers(note.window) else {
        return refuse("unknown register window");
    };
    let count = note.range_count as usize;
    if count == 0 || count > MAX_RANGES {
        return refuse("it claims no function ID, or more than 32 ranges");
    }
    let ranges = &note.ranges[..count];
    if ranges
        .iter()
        .any(|r| r.first > r.last || r.inputs > inputs || r.outputs > outputs)
    {
        return refuse("a range is empty, or uses more registers than the window has");
    }
    if ranges.iter().any(Range::is_mixed) {
        return refuse("a range mixes architecture calls (0x8000xxxx or 0xc000xxxx) with others");
    }
    if ranges.windows(2).any(|pair| pair[0].last >= pair[1].first) {
        return refuse("its ranges are not ascending, or overlap");
    }
    Ok(())
}

fn load_segments(
    headers: &[ProgramHeader64<LittleEndian>],
    bytes: &[u8],
) -> Result<Vec<Segment>, BlobError> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut image = 0_u64;
    for header in headers
        .iter()
        .filter(|h| h.p_type(LittleEndian) == elf::PT_LOAD)
    {
        let address = header.p_vaddr(LittleEndian);
        let refuse = |problem| Err(BlobError::Segment { address, problem });
        let Ok(data) = header.data(LittleEndian, bytes) else {
            return refuse("lies outside the file");
        };
        let memory = header.p_memsz(LittleEndian);
        if memory == 0 {
            continue;
        }
        if address % PAGE != 0 {
            return refuse("does not begin at a page");
        }
        let space = MONITOR_BASE..MONITOR_BASE + BLOB_SPACE;
        if !space.contains(&address) || memory > space.end - address {
            return refuse("lies outside the blob's space");
        }
        if (data.len() as u64) > memory {
            return refuse("has more bytes in the file than in memory");
        }
        let flags = header.p_flags(LittleEndian);
        let access = match (flags.contains(elf::PF_W), flags.contains(elf::PF_X)) {
            (true, true) => return refuse("is writable and executable"),
            (true, false) => Access::Write,
            (false, true) => Access::Execute,
            (false, false) => Access::Read,
        };
        let size = memory.next_multiple_of(PAGE);
        if segments
            .iter()
            .any(|s| address < s.address + s.size && s.address < address + size)
        {
            return refuse("shares a page with another segment");
        }
        // Before it is copied: any number of segments can have the same bytes of the file.
        image += data.len() as u64;
        if image > BLOB_MAX_IMAGE {
            return Err(BlobError::TooLarge(image));
        }
        segments.push(Segment {
            address,
            data: data.to_vec(),
            size,
            access,
        });
    }
    Ok(segments)
}

fn is_code(segments: &[Segment], address: u64, size: u64) -> bool {
    segments.iter().any(|s| {
        s.access == Access::Execute
            && address >= s.address
            && address - s.address < s.size
            && size <= s.size - (address - s.address)
    })
}

/// Functions by address, for fault reports; a file without symbols is as good. Names are cut and made
/// printable here, so that a report may show them as they are.
fn symbols(file: &ElfFile64<LittleEndian>, bytes: &[u8]) -> Option<Vec<(u64, String)>> {
    let sections = file.elf_section_table();
    let table = sections
        .symbols(LittleEndian, bytes, elf::SHT_SYMTAB)
        .ok()?;
    let strings = sections.section(table.string_section()).ok()?;
    let strings = strings.data(LittleEndian, bytes).ok()?;
    let is_code = |symbol: &&elf::Sym64<LittleEndian>| {
        matches!(symbol.st_type(), elf::STT_FUNC | elf::STT_NOTYPE)
    };
    let code = table.iter().filter(is_code).take(MAX_SYMBOLS);
    let mut list: Vec<(u64, String)> = code
        .filter_map(|symbol| {
            let name = strings.get(symbol.st_name(LittleEndian) as usize..)?;
            Some((symbol.st_value(LittleEndian), symbol_name(name)?))
        })
        .collect();
    list.sort();
    Some(list)
}

/// The name that a string table has from here on, unless it is none of a function's.
fn symbol_name(strings: &[u8]) -> Option<String> {
    // No further than is shown: names may share a table of any size.
    let strings = &strings[..strings.len().min(MAX_SYMBOL)];
    let name = strings.split(|&byte| byte == 0).next()?;
    let printable = |&byte: &u8| match byte.is_ascii_graphic() {
        true => char::from(byte),
        false => '?',
    };
    // `$x` and the like mark where code begins.
    let is_function = !name.is_empty() && !name.starts_with(b"$");
    is_function.then(|| name.iter().map(printable).collect())
}

#[cfg(test)]
mod tests;

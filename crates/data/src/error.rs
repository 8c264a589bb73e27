use crate::Kind;

/// What can be wrong with data, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum DataError {
    #[error("the file cannot be unpacked ({cause}): it is damaged or cut off, get it again")]
    Gzip { cause: String },

    #[error("the {file} file ends within its header: it is empty or cut off, get it again")]
    Header { file: &'static str },

    #[error("the {file} file is {kind}")]
    Other { file: &'static str, kind: Kind },

    #[error("the {file} file starts with {magic:08x}, which is no IDX file: give one of {file}")]
    Magic { file: &'static str, magic: u32 },

    #[error("the {file} file has the shape {shape:?} instead of {need}: write it so")]
    Shape { file: &'static str, shape: Vec<u32>, need: &'static str },

    #[error("the {file} file holds {element}, of which number {at} is {value}: write whole numbers from 0 to 255")]
    Element { file: &'static str, element: &'static str, at: usize, value: f64 },

    #[error("the {file} file is mislabelled, it holds {found}: give the two files in the other order")]
    Mislabelled { file: &'static str, found: &'static str },

    #[error("the {file} file declares the shape {shape:?}, which holds nothing: get it again")]
    Nothing { file: &'static str, shape: Vec<u32> },

    #[error(
        "the {file} file declares the shape {shape:?}, over the limit of {limit} bytes: it is damaged, or too large"
    )]
    TooLarge { file: &'static str, shape: Vec<u32>, limit: u64 },

    #[error("the {file} file has {found} bytes of content instead of {expected}: it is cut off, get it again")]
    Truncated { file: &'static str, found: u64, expected: u64 },

    #[error("the {file} file goes on after its {expected} bytes of content: it is damaged, get it again")]
    Trailing { file: &'static str, expected: u64 },

    #[error("the file unpacks to more than {limit} bytes: it is damaged, or no dataset of this kind")]
    Unpacked { limit: u64 },

    #[error("it has the SHA-256 {found} instead of {expected}")]
    Checksum { found: String, expected: &'static str },

    #[error("there are {images} images and {labels} labels: the two files do not belong together")]
    Count { images: u32, labels: u32 },

    #[error("row {row} has label {label}, labels are 0 to 9: choose a dataset of ten classes")]
    Label { row: usize, label: u8 },

    #[error(
        "images of {height}×{width} cannot join images of {expected_height}×{expected_width}: choose datasets of one size"
    )]
    Size { height: usize, width: usize, expected_height: usize, expected_width: usize },

    #[error("the picture cannot be read ({cause}): give a PNG, JPEG or PGM file of at most 8192×8192 pixels")]
    Picture { cause: String },

    #[error("the picture has {found} pixels, which is not {width}×{height}: pass one gray byte a pixel")]
    Pixels { found: usize, width: u32, height: u32 },

    #[error("the picture is blank: draw or photograph a digit with a clear contrast to its background")]
    Blank,

    #[error("the test fraction is {fraction}: choose one between 0 and 1")]
    Fraction { fraction: f64 },

    #[error(
        "{rows} rows leave none for training when {held_back} are held back for validation and test: hold back fewer (dataset.split)"
    )]
    NoTraining { rows: u64, held_back: u64 },

    #[error("the first {training} images are for training, but there are only {images}: give all images of the set")]
    Training { training: usize, images: usize },

    #[error("a pool of {rows} rows is too large: use at most {limit}", limit = u32::MAX)]
    TooManyRows { rows: u64 },

    #[error("a batch needs at least one sample of at least one row, not {batch} of {rows}: choose a batch size")]
    EmptyBatch { batch: u32, rows: usize },
}

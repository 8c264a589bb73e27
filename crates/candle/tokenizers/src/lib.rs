//! In place of the crate [`tokenizers`](https://crates.io/crates/tokenizers), which candle-core needs on every system but
//! wasm32, for one function: `TokenizerFromGguf::from_gguf`, which makes a tokenizer out of a GGUF file. Nobody here calls
//! it, and the crate brings 37 others, two engines of regular expressions among them: a fifteenth of a cold build.
//!
//! Here is what that function names. It begins with [`models::bpe::BpeBuilder::build`], which fails and says why, so most
//! types have no values, and their methods no bodies. A new version of candle-core that names more does not compile, and so
//! tells of it. Who needs a tokenizer removes this crate and its line in the workspace's `Cargo.toml`; who builds on these
//! libraries from another workspace has the real one anyway.
#![allow(missing_docs)]

use std::{convert::Infallible, error, fmt};

/// That this build has no tokenizers.
#[derive(Debug)]
pub struct Absent;

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this program is built without tokenizers: see crates/candle/tokenizers")
    }
}

impl error::Error for Absent {}

/// A tokenizer, of which there is none.
pub struct Tokenizer(Infallible);

impl Tokenizer {
    pub fn new(bpe: models::bpe::BPE) -> Self {
        match bpe.0 {}
    }

    pub fn with_normalizer<T>(&mut self, _: Option<T>) -> Result<&mut Self, Absent> {
        match self.0 {}
    }

    pub fn with_pre_tokenizer<T>(&mut self, _: Option<T>) -> &mut Self {
        match self.0 {}
    }

    pub fn with_decoder<T>(&mut self, _: Option<T>) -> &mut Self {
        match self.0 {}
    }

    pub fn with_post_processor<T>(&mut self, _: Option<T>) -> &mut Self {
        match self.0 {}
    }

    pub fn add_special_tokens(&mut self, _: Vec<AddedToken>) -> Result<usize, Absent> {
        match self.0 {}
    }
}

/// A token beside the model's own.
pub struct AddedToken;

impl AddedToken {
    pub fn from(_: String, _: bool) -> Self {
        Self
    }
}

pub mod tokenizer {
    pub enum SplitDelimiterBehavior {
        Isolated,
    }
}

pub mod models {
    pub mod bpe {
        use std::{collections::HashMap, convert::Infallible};

        use crate::Absent;

        pub type Vocab = HashMap<String, u32>;

        /// A model of byte pairs, of which there is none.
        pub struct BPE(pub(crate) Infallible);

        impl BPE {
            pub fn builder() -> BpeBuilder {
                BpeBuilder
            }
        }

        pub struct BpeBuilder;

        impl BpeBuilder {
            pub fn vocab_and_merges(self, _: Vocab, _: Vec<(String, String)>) -> Self {
                self
            }

            pub fn unk_token(self, _: String) -> Self {
                self
            }

            pub fn byte_fallback(self, _: bool) -> Self {
                self
            }

            pub fn ignore_merges(self, _: bool) -> Self {
                self
            }

            /// # Errors
            /// Always.
            pub fn build(self) -> Result<BPE, Absent> {
                Err(Absent)
            }
        }
    }
}

/// What a tokenizer does before and after its model: one type for all of it.
#[derive(Clone)]
pub enum Step {
    Template(processors::template::TemplateProcessing),
    Other,
}

pub mod byte_level {
    use crate::Step;

    #[derive(Default)]
    pub struct ByteLevel;

    impl ByteLevel {
        pub fn new(_: bool, _: bool, _: bool) -> Self {
            Self
        }
    }

    impl From<ByteLevel> for Step {
        fn from(_: ByteLevel) -> Self {
            Step::Other
        }
    }
}

pub mod sequence {
    use crate::Step;

    pub struct Sequence;

    impl Sequence {
        pub fn new(_: Vec<Step>) -> Self {
            Self
        }
    }

    impl From<Sequence> for Step {
        fn from(_: Sequence) -> Self {
            Step::Other
        }
    }
}

pub mod decoders {
    pub use crate::{Step as DecoderWrapper, byte_level};
}

pub mod normalizers {
    pub use unicode::NFC as NormalizerWrapper;

    pub mod unicode {
        pub struct NFC;
    }
}

pub mod pre_tokenizers {
    pub use crate::{Step as PreTokenizerWrapper, byte_level, sequence};

    pub mod split {
        use crate::{Absent, Step, tokenizer::SplitDelimiterBehavior};

        pub enum SplitPattern {
            Regex(String),
        }

        pub struct Split;

        impl Split {
            pub fn new(_: SplitPattern, _: SplitDelimiterBehavior, _: bool) -> Result<Self, Absent> {
                Err(Absent)
            }
        }

        impl From<Split> for Step {
            fn from(_: Split) -> Self {
                Step::Other
            }
        }
    }
}

pub mod processors {
    pub use crate::{Step as PostProcessorWrapper, byte_level, sequence};

    pub mod template {
        use crate::Absent;

        #[derive(Clone)]
        pub struct TemplateProcessing;

        impl TemplateProcessing {
            pub fn builder() -> Self {
                Self
            }

            pub fn try_single(&self, _: Vec<String>) -> Result<Self, Absent> {
                Err(Absent)
            }

            pub fn try_pair(&self, _: Vec<String>) -> Result<Self, Absent> {
                Err(Absent)
            }

            pub fn special_tokens(&self, _: Vec<(String, u32)>) -> &Self {
                self
            }

            pub fn build(&self) -> Result<Self, Absent> {
                Err(Absent)
            }
        }
    }
}

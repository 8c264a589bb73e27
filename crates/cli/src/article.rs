//! The figures of the 2014 article that preset `nolearn-dbn` reproduces: nolearn's `DBN` on an EC2 g2.2xlarge, once
//! without and once with its GPU. The two runs had different splits and seeds.

use protocol::{Model, RunConfig, preset};

/// One run of the article.
pub(crate) struct Published {
    pub(crate) name: &'static str,
    /// Loss and error of each epoch, running means over its minibatches.
    pub(crate) epochs: [(f64, f64); 10],
    /// Seconds of an epoch as printed, which is whole seconds, in the first five and in the last five epochs.
    pub(crate) seconds: [u32; 2],
    /// Minutes and seconds of the whole program, and the mean F1 of its report.
    pub(crate) total: &'static str,
    pub(crate) f1: f64,
}

pub(crate) const CPU: Published = Published {
    name: "2014, CPU",
    epochs: [
        (0.554249, 0.139430),
        (0.285018, 0.071956),
        (0.216536, 0.056288),
        (0.173376, 0.046598),
        (0.145248, 0.039724),
        (0.118302, 0.033043),
        (0.098393, 0.027728),
        (0.076123, 0.022370),
        (0.066132, 0.019510),
        (0.054067, 0.016522),
    ],
    seconds: [25, 24],
    total: "4 min 48.5 s",
    f1: 0.97,
};

pub(crate) const GPU: Published = Published {
    name: "2014, GPU",
    epochs: [
        (0.374996, 0.102971),
        (0.223706, 0.057270),
        (0.176561, 0.047067),
        (0.131326, 0.036031),
        (0.095808, 0.026661),
        (0.075325, 0.021751),
        (0.053838, 0.016265),
        (0.043181, 0.012957),
        (0.035360, 0.010844),
        (0.027572, 0.008239),
    ],
    seconds: [8, 8],
    total: "2 min 20.4 s",
    f1: 0.98,
};

impl Published {
    pub(crate) fn seconds(&self, epoch: usize) -> u32 {
        self.seconds[usize::from(epoch > 5)]
    }
}

/// Whether a run is the article's job: its network, split and sampling.
pub(crate) fn is_same_job(config: &RunConfig) -> bool {
    let Ok(job) = preset("nolearn-dbn") else { return false };
    let network = match &config.model {
        Model::Preset(name) => name == "nolearn-dbn",
        Model::Network(_) => config.model == job.model,
    };
    let data = |config: &RunConfig| (config.dataset.split, config.dataset.sampling);
    network && data(config) == data(&job)
}

//! Whether the GPU of this browser computes rightly: asked once, before the first run on it, and kept. Browsers have shipped
//! WebGPU that computes wrongly without an error.

use leptos::prelude::*;
use protocol::worker::{CheckReport, DeviceReport, Request};
use protocol::{DeviceState, EngineName, Failure};

use crate::app::{App, Wanted};
use crate::browser;
use crate::notice::Notice;
use crate::state::RunState;

/// Where the result is kept: for this browser and this device.
fn key(device: &str) -> String {
    format!("checked {device} {}", browser::agent())
}

impl App {
    /// Whether nothing is known of the GPU. What is kept of an earlier visit is taken.
    pub(crate) fn must_check(self, devices: &[DeviceReport]) -> bool {
        let device = devices.iter().find_map(|report| match &report.state {
            DeviceState::Ready { device, .. } if report.engine == EngineName::Wgpu => Some(device),
            _ => None,
        });
        let Some(device) = device else { return false }; // it cannot be opened, which the worker says
        let kept = || protocol::from_message::<CheckReport>(&browser::recall(&key(&device.name))?).ok();
        let known = self.run.check.get_untracked().or_else(kept).filter(|report| report.failure().is_none());
        self.run.check.set(known.clone());
        known.is_none()
    }

    /// Asks about the GPU; the run waits for that.
    pub(crate) fn check(self, wanted: Wanted) {
        let request = self.question();
        self.inner.update_value(|inner| inner.checking = Some((request, wanted)));
        self.ask(&Request::Check { request }, &[]);
    }

    /// Whether a run waits for that.
    pub fn is_checking(self) -> bool {
        self.inner.with_value(|inner| inner.checking.is_some())
    }

    /// Whether a request is the one about the GPU.
    pub(crate) fn is_check(self, request: u64) -> bool {
        self.inner.with_value(|inner| inner.checking.as_ref().is_some_and(|(asked, _)| *asked == request))
    }

    /// What was found out: the run begins, or is refused in words.
    pub(crate) fn checked(self, request: u64, report: CheckReport) {
        let failure = report.failure();
        self.run.check.set(Some(report.clone()));
        if !self.is_check(request) {
            return; // it was stopped meanwhile
        }
        let wanted = self.inner.try_update_value(|inner| inner.checking.take()).flatten();
        match (failure, wanted) {
            (Some(failure), _) => self.refuse(failure),
            (None, Some((_, wanted))) => {
                let text = serde_json::to_string(&report).expect("plain data with string keys serialises");
                browser::remember(&key(&report.device.name), &text);
                self.launch(&self.run.devices.get_untracked().unwrap_or_default(), wanted);
            }
            (None, None) => {}
        }
    }

    /// It cannot even be asked.
    pub(crate) fn not_checked(self, failure: Failure) {
        self.inner.update_value(|inner| inner.checking = None);
        self.refuse(failure);
    }

    fn refuse(self, failure: Failure) {
        self.inner.update_value(|inner| inner.queue.clear());
        if self.restore() {
            self.notice.set(Some(Notice::Refused(failure)));
        } else {
            self.run.state.set(RunState::default());
            self.notice.set(Some(Notice::WrongDevice(failure)));
        }
    }
}

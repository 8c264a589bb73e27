//! Seconds of a pass by the device's own clock. Without it they are those of the host, which also waits and wakes up.

use engine::EngineError;
use wgpu::BufferUsages;

use crate::device::{Allocation, Opened};

/// The clock at the beginning and at the end of a pass.
pub(crate) struct Timer {
    set: wgpu::QuerySet,
    resolved: Allocation,
    staging: Allocation,
}

/// Bytes of two ticks.
const BYTES: u64 = 16;

impl Timer {
    /// `None` where the device has no clock.
    pub(crate) async fn new(opened: &Opened) -> Result<Option<Self>, EngineError> {
        if !opened.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(None);
        }
        let descriptor = wgpu::QuerySetDescriptor { label: Some("a pass"), ty: wgpu::QueryType::Timestamp, count: 2 };
        let set = opened.device.create_query_set(&descriptor);
        let resolved = opened.allocate("ticks", BYTES, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC).await?;
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let staging = opened.allocate("ticks on their way to the host", BYTES, usage).await?;
        Ok(Some(Timer { set, resolved, staging }))
    }

    /// What the pass writes.
    pub(crate) fn writes(&self) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.set,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        }
    }

    /// Behind the pass.
    pub(crate) fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.set, 0..2, &self.resolved.buffer, 0);
        encoder.copy_buffer_to_buffer(&self.resolved.buffer, 0, &self.staging.buffer, 0, BYTES);
    }

    /// Seconds between both ticks; none where they make no sense, as on devices whose clock stands or runs backwards.
    pub(crate) async fn seconds(
        &self,
        opened: &Opened,
        submission: wgpu::SubmissionIndex,
    ) -> Result<Option<f64>, EngineError> {
        let staging = &self.staging.buffer;
        let ticks: Vec<u64> = opened.read(staging, opened.map(staging, BYTES, submission)).await?;
        let passed = ticks[1].checked_sub(ticks[0]).filter(|ticks| *ticks > 0);
        Ok(passed.map(|ticks| ticks as f64 * f64::from(opened.queue.get_timestamp_period()) / 1e9))
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
//! `/metrics`: numbers for Prometheus, in OpenMetrics text.
//!
//! Made anew for each request. Counters come from sums that never become less; labels are words of ours and the names
//! of outputs, never anything that a viewer sent.

use std::{collections::BTreeMap, fmt, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use super::{
    Serving,
    keys::{self, Need},
};
use crate::{
    audience::{Audience, End, Totals, Transport},
    stats::{Meters, Process, Status},
};

/// Makes the sums; may take a moment.
pub(crate) type MeterSource = Arc<dyn Fn() -> Meters + Send + Sync>;

#[derive(Clone)]
struct Metrics {
    status: super::StatusSource,
    meters: MeterSource,
    audience: Audience,
}

pub(super) fn routes(serving: &Serving) -> Router {
    let metrics = Metrics {
        status: serving.status.clone(),
        meters: serving.meters.clone(),
        audience: serving.audience.clone(),
    };
    Router::new()
        .route("/metrics", get(answer))
        .route_layer(middleware::from_fn_with_state(
            (serving.keys.clone(), Need::Token),
            keys::want,
        ))
        .with_state(metrics)
}

async fn answer(State(metrics): State<Metrics>) -> Response {
    let made = tokio::task::spawn_blocking(move || {
        let numbers = Numbers {
            status: (metrics.status)(),
            meters: (metrics.meters)(),
            totals: metrics.audience.totals(),
            peak: metrics.audience.peak(),
            process: Process::now(),
        };
        let mut registry = Registry::default();
        registry.register_collector(Box::new(numbers));
        let mut page = String::new();
        text::encode(&mut page, &registry).map(|()| page)
    });
    match made.await {
        Ok(Ok(page)) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, page).into_response()
        }
        Ok(Err(_)) | Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Everything at one moment.
#[derive(Debug)]
struct Numbers {
    status: Status,
    meters: Meters,
    totals: Totals,
    peak: usize,
    process: Process,
}

/// Names of labels with their values.
type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Writes families one after the other.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    /// Numbers that only grow.
    fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        rows: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) -> fmt::Result {
        let kind = MetricType::Counter;
        let mut family = self.0.encode_descriptor(name, help, unit.as_ref(), kind)?;
        for (labels, n) in rows {
            ConstCounter::new(n).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// Numbers of this moment.
    fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        rows: impl IntoIterator<Item = (Labels<'a>, f64)>,
    ) -> fmt::Result {
        let kind = MetricType::Gauge;
        let mut family = self.0.encode_descriptor(name, help, unit.as_ref(), kind)?;
        for (labels, n) in rows {
            ConstGauge::new(n).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<Unit>, n: f64) -> fmt::Result {
        let gauge = ConstGauge::new(n);
        let kind = MetricType::Gauge;
        gauge.encode(self.0.encode_descriptor(name, help, unit.as_ref(), kind)?)
    }

    fn counter(&mut self, name: &str, help: &str, unit: Option<Unit>, n: u64) -> fmt::Result {
        let counter = ConstCounter::new(n);
        let kind = MetricType::Counter;
        counter.encode(self.0.encode_descriptor(name, help, unit.as_ref(), kind)?)
    }
}

impl Collector for Numbers {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut page = Page(encoder);
        let live = f64::from(self.status.air == "live");
        page.gauge(
            "aerial_live",
            "Whether the program is on the air",
            None,
            live,
        )?;
        self.encoders(&mut page)?;
        self.viewers(&mut page)?;
        self.outputs(&mut page)?;
        let lost = self.status.sources.iter().filter(|s| s.state == "lost");
        let name = "aerial_sources_lost";
        page.gauge(name, "Sources that are lost now", None, lost.count() as f64)?;
        self.process(&mut page)
    }
}

impl Numbers {
    fn encoders(&self, page: &mut Page) -> fmt::Result {
        let all = &self.status.encoders;
        let help = "Encoders that run now";
        page.gauge("aerial_encoders", help, None, all.len() as f64)?;
        // Two elements of one rung say the same.
        let rows: BTreeMap<_, _> = all.iter().map(|e| ((&e.codec, &e.rung), e)).collect();
        let labels = |codec, rung| vec![("codec", codec), ("rung", rung)];
        let each = |number: fn(&crate::stats::EncoderRow) -> f64| {
            let rows = rows.values();
            let row = move |e: &&'_ crate::stats::EncoderRow| number(e);
            rows.map(move |e| (labels(e.codec.as_str(), e.rung.as_str()), row(e)))
                .collect::<Vec<_>>()
        };
        let help = "Packets of an encoder in the last second";
        page.gauges("aerial_encoder_fps", help, None, each(|e| e.fps))?;
        let help = "Bits of an encoder in the last second";
        let name = "aerial_encoder_bits_per_second";
        page.gauges(name, help, None, each(|e| e.bitrate as f64))?;
        let help = "Raw frames for which the encoders had no time";
        let name = "aerial_encoder_dropped_frames";
        page.counter(name, help, None, self.meters.dropped)
    }

    fn viewers(&self, page: &mut Page) -> fmt::Result {
        let by = |number: fn(&Totals, Transport) -> u64| {
            let number = move |t| number(&self.totals, t);
            Transport::ALL.map(|t| (vec![("transport", t.word())], number(t)))
        };
        let help = "Who watches now";
        let present = by(Totals::present).map(|(labels, n)| (labels, n as f64));
        page.gauges("aerial_viewers", help, None, present)?;
        let help = "The most who watched at one time in this broadcast";
        page.gauge("aerial_viewers_peak", help, None, self.peak as f64)?;
        let help = "Who ever came";
        page.counters("aerial_viewer_joins", help, None, by(Totals::joined))?;
        let help = "Bytes that viewers took";
        let bytes = self.totals.bytes();
        page.counter("aerial_viewer", help, Some(Unit::Bytes), bytes)?;
        let help = "Frames that viewers missed because they were too slow";
        let missed = self.totals.missed();
        page.counter("aerial_viewer_missed_frames", help, None, missed)?;
        let help = "Viewers that were let go";
        let reasons = End::ALL.into_iter().filter(|end| *end != End::Left);
        let rows = reasons.map(|end| (vec![("reason", end.word())], self.totals.ended(end)));
        page.counters("aerial_viewers_dropped", help, None, rows)
    }

    fn outputs(&self, page: &mut Page) -> fmt::Result {
        let all = &self.status.outputs;
        let states = all.iter().flat_map(|o| {
            STATES.map(|state| {
                let labels = vec![
                    ("output", o.name.as_str()),
                    ("kind", o.kind.as_str()),
                    ("state", state),
                ];
                (labels, f64::from(o.state == state))
            })
        });
        let help = "1 for the state that an output is in";
        page.gauges("aerial_output_state", help, None, states)?;
        let labels = |name, kind| vec![("output", name), ("kind", kind)];
        let help = "Bits that an output took in the last second";
        let rates = all
            .iter()
            .map(|o| (labels(o.name.as_str(), o.kind.as_str()), o.bitrate as f64));
        page.gauges("aerial_output_bits_per_second", help, None, rates)?;
        let sums = |number: fn(&crate::stats::OutputMeter) -> u64| {
            let meters = self.meters.outputs.iter();
            meters.map(move |(name, o)| (labels(name.as_str(), o.kind), number(o)))
        };
        let help = "Bytes that an output took";
        let bytes = sums(|o| o.bytes);
        page.counters("aerial_output", help, Some(Unit::Bytes), bytes)?;
        let help = "Pieces that were left out because the other side was too slow";
        page.counters("aerial_output_dropped", help, None, sums(|o| o.dropped))
    }

    fn process(&self, page: &mut Page) -> fmt::Result {
        let p = &self.process;
        let help = "Time that the program ran on processors";
        let kind = MetricType::Counter;
        let cpu = ConstCounter::new(p.cpu.as_secs_f64());
        let unit = Some(&Unit::Seconds);
        cpu.encode(page.0.encode_descriptor("process_cpu", help, unit, kind)?)?;
        let help = "Memory in use";
        let bytes = Some(Unit::Bytes);
        page.gauge("process_resident_memory", help, bytes, p.memory as f64)?;
        let help = "Open files and connections";
        page.gauge("process_open_fds", help, None, p.files as f64)?;
        page.gauge("process_threads", "Threads", None, p.threads as f64)
    }
}

/// States of an output.
const STATES: [&str; 5] = ["off", "connecting", "live", "waiting", "failed"];

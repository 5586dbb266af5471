// SPDX-License-Identifier: GPL-3.0-or-later
//! One remote control, from its password to its end.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde_json::{Value, json};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::{
    Remote,
    events::Told,
    protocol::{Challenge, Close, Code, Form, RPC_VERSION, Refusal, VERSION, answer, intent, op},
};
use crate::serve::door;

/// Who connects says so within this time.
const IDENTIFIES: Duration = Duration::from_secs(30);
/// A message is taken within this time.
const TAKES: Duration = Duration::from_secs(20);
/// A wrong password costs this time, so that passwords cannot be tried out.
const WRONG_PASSWORD: Duration = Duration::from_secs(1);
/// Requests in one batch.
const MOST_IN_A_BATCH: usize = 1000;

/// What a connection needs.
pub(super) struct Visit {
    pub(super) remote: Arc<Remote>,
    pub(super) told: broadcast::Sender<Arc<Told>>,
    pub(super) ended: CancellationToken,
    pub(super) _place: super::Place,
}

struct Session {
    socket: WebSocket,
    form: Form,
    remote: Arc<Remote>,
    wanted: u64,
    incoming: u64,
    outgoing: u64,
}

/// Why a conversation is over.
enum Over {
    /// The client went.
    Gone,
    Closed(Close),
}

impl From<Close> for Over {
    fn from(close: Close) -> Over {
        Over::Closed(close)
    }
}

/// Until either side ends it.
pub(super) async fn converse(socket: WebSocket, visit: Visit) {
    let form = Form::named(socket.protocol().and_then(|name| name.to_str().ok()));
    let mut session = Session {
        socket,
        form,
        remote: visit.remote,
        wanted: 0,
        incoming: 0,
        outgoing: 0,
    };
    let over = tokio::select! {
        over = session.run(visit.told) => over,
        () = visit.ended.cancelled() => Over::Closed(Close::Ended),
    };
    if matches!(over, Over::Closed(Close::Ended)) && session.wanted & intent::GENERAL != 0 {
        let told = Told::new(intent::GENERAL, "ExitStarted", json!({}));
        let _ = session.send(op::EVENT, &told.message()).await;
    }
    if let Over::Closed(why) = over {
        let frame = CloseFrame {
            code: why as u16,
            reason: why.words().into(),
        };
        let closed = session.socket.send(Message::Close(Some(frame)));
        let _ = tokio::time::timeout(TAKES, closed).await;
    }
}

impl Session {
    async fn run(&mut self, told: broadcast::Sender<Arc<Told>>) -> Over {
        match self.talk(told).await {
            Ok(()) => Over::Gone,
            Err(over) => over,
        }
    }

    async fn talk(&mut self, told: broadcast::Sender<Arc<Told>>) -> Result<(), Over> {
        let challenge = Challenge::new();
        let hello = json!({
            "obsStudioVersion": env!("CARGO_PKG_VERSION"),
            "obsWebSocketVersion": VERSION,
            "rpcVersion": RPC_VERSION,
            "authentication": challenge.told(),
        });
        self.send(op::HELLO, &hello).await?;
        let first = tokio::time::timeout(IDENTIFIES, self.hear()).await;
        let (kind, data) = first.map_err(|_| Close::NotIdentified)??;
        if kind != op::IDENTIFY {
            return Err(Close::NotIdentified.into());
        }
        self.identify(&data, &challenge).await?;
        let mut news = told.subscribe();
        self.identified(&data).await?;
        loop {
            tokio::select! {
                heard = self.hear() => {
                    let (kind, data) = heard?;
                    self.handle(kind, data).await?;
                }
                told = news.recv() => match told {
                    Ok(told) if told.intent & self.wanted != 0 => {
                        self.send(op::EVENT, &told.message()).await?;
                    }
                    Ok(_) => (),
                    Err(RecvError::Lagged(_)) => return Err(Close::TooSlow.into()),
                    Err(RecvError::Closed) => return Err(Close::Ended.into()),
                },
            }
        }
    }

    async fn identify(&mut self, data: &Value, challenge: &Challenge) -> Result<(), Close> {
        let version = data.get("rpcVersion").ok_or(Close::Missing)?;
        if version.as_u64().ok_or(Close::WrongType)? < RPC_VERSION {
            return Err(Close::Version);
        }
        let proof = data.get("authentication").and_then(Value::as_str);
        let right = challenge.answer(&self.remote.password);
        if proof.is_some_and(|proof| door::same(proof, &right)) {
            return Ok(());
        }
        tokio::time::sleep(WRONG_PASSWORD).await;
        Err(Close::Unauthorised)
    }

    /// Take note of what the client wants to hear.
    async fn identified(&mut self, data: &Value) -> Result<(), Over> {
        self.wanted = match data.get("eventSubscriptions") {
            None | Some(Value::Null) => intent::ALL,
            Some(wanted) => wanted.as_u64().ok_or(Close::WrongType)?,
        };
        let data = json!({"negotiatedRpcVersion": RPC_VERSION});
        self.send(op::IDENTIFIED, &data).await
    }

    async fn handle(&mut self, kind: u64, data: Value) -> Result<(), Over> {
        match kind {
            op::REQUEST => {
                let id = data.get("requestId").and_then(Value::as_str);
                let id = id.ok_or(Close::Missing)?.to_string();
                let mut done = self.one(&data, false).await;
                done["requestId"] = json!(id);
                self.send(op::RESPONSE, &done).await
            }
            op::BATCH => {
                let done = self.batch(&data).await?;
                self.send(op::BATCH_RESPONSE, &done).await
            }
            op::REIDENTIFY => self.identified(&data).await,
            op::IDENTIFY => Err(Close::AlreadyIdentified.into()),
            _ => Err(Close::UnknownOp.into()),
        }
    }

    /// The answer to one request, with its type.
    async fn one(&mut self, request: &Value, in_batch: bool) -> Value {
        let mut done = self.remote.request(request, in_batch).await;
        let kind = request.get("requestType").and_then(Value::as_str);
        if let (Some("GetStats"), Ok(stats)) = (kind, &mut done) {
            stats["webSocketSessionIncomingMessages"] = json!(self.incoming);
            stats["webSocketSessionOutgoingMessages"] = json!(self.outgoing);
        }
        let mut done = answer(done);
        done["requestType"] = json!(kind.unwrap_or_default());
        done
    }

    async fn batch(&mut self, data: &Value) -> Result<Value, Close> {
        let id = data.get("requestId").and_then(Value::as_str);
        let id = id.ok_or(Close::Missing)?;
        let requests = data.get("requests").ok_or(Close::Missing)?;
        let requests = requests.as_array().ok_or(Close::WrongType)?;
        let halt = data.get("haltOnFailure").and_then(Value::as_bool) == Some(true);
        let how = data.get("executionType").and_then(Value::as_i64);
        // One after the other, at once, is what there is.
        let unable = match how {
            None | Some(-1 | 0) if requests.len() > MOST_IN_A_BATCH => {
                Some(format!("A batch has at most {MOST_IN_A_BATCH} requests."))
            }
            None | Some(-1 | 0) => None,
            Some(_) => Some("Only executionType 0 is done here.".into()),
        };
        let mut results = Vec::new();
        for request in requests.iter().take(MOST_IN_A_BATCH) {
            let mut done = match &unable {
                Some(words) => answer(Err(Refusal(Code::UnsupportedBatch, words.clone()))),
                None => self.one(request, true).await,
            };
            if unable.is_some() {
                done["requestType"] = request.get("requestType").cloned().unwrap_or_default();
            }
            if let Some(id) = request.get("requestId") {
                done["requestId"] = id.clone();
            }
            let failed = done["requestStatus"]["result"] != true;
            results.push(done);
            if failed && halt {
                break;
            }
        }
        Ok(json!({"requestId": id, "results": results}))
    }

    async fn hear(&mut self) -> Result<(u64, Value), Over> {
        loop {
            let message = match self.socket.recv().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_))) => {
                    // Reading on answers it.
                    let _ = tokio::time::timeout(TAKES, self.socket.recv()).await;
                    return Err(Over::Gone);
                }
                Some(Err(_)) | None => return Err(Over::Gone),
                Some(Ok(message)) => message,
            };
            self.incoming += 1;
            return Ok(self.form.read(&message)?);
        }
    }

    async fn send(&mut self, op: u64, data: &Value) -> Result<(), Over> {
        let message = self.form.write(op, data).ok_or(Over::Gone)?;
        self.outgoing += 1;
        let sent = tokio::time::timeout(TAKES, self.socket.send(message)).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over::Gone),
        }
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
//! The messages of obs-websocket 5: their numbers, their two forms, and the proof of the password.

use axum::extract::ws::Message;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The version of the protocol's messages that both sides speak.
pub(super) const RPC_VERSION: u64 = 1;
/// The version of obs-websocket whose words these are.
pub(super) const VERSION: &str = "5.5.0";

/// What a message is, as a number.
pub(super) mod op {
    pub(in super::super) const HELLO: u64 = 0;
    pub(in super::super) const IDENTIFY: u64 = 1;
    pub(in super::super) const IDENTIFIED: u64 = 2;
    pub(in super::super) const REIDENTIFY: u64 = 3;
    pub(in super::super) const EVENT: u64 = 5;
    pub(in super::super) const REQUEST: u64 = 6;
    pub(in super::super) const RESPONSE: u64 = 7;
    pub(in super::super) const BATCH: u64 = 8;
    pub(in super::super) const BATCH_RESPONSE: u64 = 9;
}

/// Kinds of events that a client may ask for.
pub(super) mod intent {
    pub(in super::super) const GENERAL: u64 = 1;
    pub(in super::super) const SCENES: u64 = 1 << 2;
    pub(in super::super) const INPUTS: u64 = 1 << 3;
    pub(in super::super) const OUTPUTS: u64 = 1 << 6;
    /// All but those that come many times a second.
    pub(in super::super) const ALL: u64 = (1 << 11) - 1;
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    /// Aerial ends.
    Ended = 1001,
    /// No message of the chosen form.
    Undecodable = 4002,
    /// A field is missing.
    Missing = 4003,
    /// A field is of another kind.
    WrongType = 4004,
    /// There is no such operation.
    UnknownOp = 4006,
    /// Asked before it said who it is.
    NotIdentified = 4007,
    /// Said who it is twice.
    AlreadyIdentified = 4008,
    /// A wrong password.
    Unauthorised = 4009,
    /// Another version.
    Version = 4010,
    /// It did not take what it was told.
    TooSlow = 4011,
}

impl Close {
    pub(super) fn words(self) -> &'static str {
        match self {
            Close::Ended => "Aerial ends.",
            Close::Undecodable => "This message cannot be read.",
            Close::Missing => "The message lacks a field.",
            Close::WrongType => "A field of the message is of another kind.",
            Close::UnknownOp => "There is no such operation.",
            Close::NotIdentified => "Send Identify first.",
            Close::AlreadyIdentified => "Identify was sent already.",
            Close::Unauthorised => "The password is wrong or missing.",
            Close::Version => "Only version 1 of the protocol is spoken here.",
            Close::TooSlow => "Events were not taken in time. Connect again.",
        }
    }
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    MsgPack,
}

impl Form {
    /// Names in the handshake, the usual one first.
    pub(super) const NAMES: [&str; 2] = ["obswebsocket.json", "obswebsocket.msgpack"];

    pub(super) fn named(name: Option<&str>) -> Form {
        match name {
            Some(name) if name == Form::NAMES[1] => Form::MsgPack,
            Some(_) | None => Form::Json,
        }
    }

    pub(super) fn write(self, op: u64, data: &Value) -> Option<Message> {
        let message = json!({"op": op, "d": data});
        match self {
            Form::Json => Some(Message::Text(message.to_string().into())),
            Form::MsgPack => {
                let bytes = rmp_serde::to_vec_named(&message).ok()?;
                Some(Message::Binary(bytes.into()))
            }
        }
    }

    /// Number and contents of a message.
    pub(super) fn read(self, message: &Message) -> Result<(u64, Value), Close> {
        let read: Option<Value> = match (self, message) {
            (Form::Json, Message::Text(text)) => serde_json::from_str(text).ok(),
            (Form::MsgPack, Message::Binary(bytes)) => rmp_serde::from_slice(bytes).ok(),
            _ => None,
        };
        let mut read = read.filter(Value::is_object).ok_or(Close::Undecodable)?;
        let op = read.get("op").ok_or(Close::Missing)?;
        let op = op.as_u64().ok_or(Close::WrongType)?;
        let data = read.get_mut("d").map(Value::take).ok_or(Close::Missing)?;
        if !data.is_object() {
            return Err(Close::WrongType);
        }
        Ok((op, data))
    }
}

/// What a client has to prove that it knows the password, without sending it.
pub(super) struct Challenge {
    salt: String,
    challenge: String,
}

impl Challenge {
    pub(super) fn new() -> Challenge {
        let random = || STANDARD.encode(rand::random::<[u8; 32]>());
        Challenge {
            salt: random(),
            challenge: random(),
        }
    }

    pub(super) fn told(&self) -> Value {
        json!({"challenge": self.challenge, "salt": self.salt})
    }

    /// The answer of who knows the password.
    pub(super) fn answer(&self, password: &str) -> String {
        let hash = |a: &str, b: &str| {
            let hash = Sha256::new().chain_update(a).chain_update(b);
            STANDARD.encode(hash.finalize())
        };
        hash(&hash(password, &self.salt), &self.challenge)
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal(pub(super) Code, pub(super) String);

/// Why a request was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    MissingType = 203,
    UnknownType = 204,
    UnsupportedBatch = 206,
    MissingField = 300,
    WrongFieldType = 401,
    OutOfRange = 402,
    Running = 500,
    NotRunning = 501,
    Paused = 502,
    NotPaused = 503,
    NotFound = 600,
    WrongState = 604,
    Failed = 702,
}

/// The answer to a request, without its name.
pub(super) fn answer(done: Result<Value, Refusal>) -> Value {
    match done {
        Ok(Value::Null) => json!({"requestStatus": {"result": true, "code": 100}}),
        Ok(data) => {
            json!({"requestStatus": {"result": true, "code": 100}, "responseData": data})
        }
        Err(Refusal(code, comment)) => {
            let status = json!({"result": false, "code": code as u16, "comment": comment});
            json!({ "requestStatus": status })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the protocol's own document.
    #[test]
    fn the_password_is_proved_as_the_protocol_says() {
        let challenge = Challenge {
            salt: "lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=".into(),
            challenge: "+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY=".into(),
        };
        let answer = challenge.answer("supersecretpassword");
        assert_eq!(answer, "1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4=");
    }

    #[test]
    fn a_message_is_the_same_in_both_forms() {
        for form in [Form::Json, Form::MsgPack] {
            let data = json!({"requestType": "GetVersion", "n": 1.5});
            let message = form.write(op::REQUEST, &data).unwrap();
            assert_eq!(form.read(&message), Ok((op::REQUEST, data)));
        }
        let text = |text: &str| Form::Json.read(&Message::Text(text.to_string().into()));
        assert_eq!(text("{"), Err(Close::Undecodable));
        assert_eq!(text("[]"), Err(Close::Undecodable));
        assert_eq!(text("{\"d\": {}}"), Err(Close::Missing));
        assert_eq!(text("{\"op\": 6}"), Err(Close::Missing));
        assert_eq!(text("{\"op\": \"6\", \"d\": {}}"), Err(Close::WrongType));
        let other = Form::MsgPack.read(&Message::Text("{}".into()));
        assert_eq!(other, Err(Close::Undecodable));
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
//! Who may control and who may only look: the tokens of programs, and what each lets do.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;

use super::door;
use crate::{
    error::StudioError,
    settings::tokens::{Scope, TokenBook, TokenRow},
};

/// All tokens. Clones are handles of the same.
#[derive(Clone)]
pub(crate) struct Keys(Arc<Inner>);

struct Inner {
    control: String,
    read: Option<String>,
    book: Mutex<TokenBook>,
}

impl Keys {
    /// The broadcaster's own token, one that may only read, and those that were handed out.
    pub(crate) fn new(control: String, read: Option<String>, book: TokenBook) -> Keys {
        Keys(Arc::new(Inner {
            control,
            read,
            book: Mutex::new(book),
        }))
    }

    /// What this word lets do, if it is a token.
    pub(super) fn scope(&self, given: &str) -> Option<Scope> {
        if door::same(given, &self.0.control) {
            return Some(Scope::Control);
        }
        let read = self.0.read.as_deref();
        if read.is_some_and(|read| door::same(given, read)) {
            return Some(Scope::Read);
        }
        self.0.book.lock().scope(given)
    }

    /// The same for what a request carries.
    fn scope_of(&self, headers: &HeaderMap) -> Option<Scope> {
        self.scope(door::bearer(headers)?)
    }

    /// Those that were handed out.
    pub(super) fn list(&self) -> Vec<TokenRow> {
        self.0.book.lock().list()
    }

    /// Hand one out, as [`TokenBook::add`]. Writes a file.
    pub(super) fn add(
        &self,
        name: &str,
        scope: Scope,
    ) -> Result<Option<(TokenRow, String)>, StudioError> {
        self.0.book.lock().add(name, scope)
    }

    /// Take one back. Writes a file.
    pub(super) fn remove(&self, id: u64) -> Result<bool, StudioError> {
        self.0.book.lock().remove(id)
    }
}

/// What some routes want.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Any token to look, one that may control to change something.
    Token,
    /// The same, and the token may stand in the address: pages cannot send headers with an `EventSource`.
    TokenOrWord,
    /// A token that may control, to look too: what is seen there opens something.
    Control,
}

#[derive(Deserialize)]
struct Word {
    token: Option<String>,
}

/// Refuse who has no token, or one for less.
pub(super) async fn want(
    State((keys, need)): State<(Keys, Need)>,
    request: Request,
    next: Next,
) -> Response {
    let mut scope = keys.scope_of(request.headers());
    if need == Need::TokenOrWord && door::bearer(request.headers()).is_none() {
        let word = Query::<Word>::try_from_uri(request.uri());
        let word = word.ok().and_then(|Query(word)| word.token);
        scope = word.and_then(|word| keys.scope(&word));
    }
    let looks = matches!(*request.method(), Method::GET | Method::HEAD);
    match scope {
        Some(Scope::Control) => next.run(request).await,
        Some(Scope::Read) if looks && need != Need::Control => next.run(request).await,
        Some(Scope::Read) => refuse(
            StatusCode::FORBIDDEN,
            "Bearer error=\"insufficient_scope\"",
            "This token may only read. Send one that may control.",
        ),
        None => refuse(
            StatusCode::UNAUTHORIZED,
            "Bearer",
            "This needs the API token. Send it as \"Authorization: Bearer TOKEN\".",
        ),
    }
}

fn refuse(status: StatusCode, scheme: &'static str, sentence: &str) -> Response {
    let headers = [(header::WWW_AUTHENTICATE, scheme)];
    (status, headers, Json(json!({ "error": sentence }))).into_response()
}

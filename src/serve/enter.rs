// SPDX-License-Identifier: GPL-3.0-or-later
//! How a browser comes in: by a link with the token, or by the password.

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Extension, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
            SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
    routing::post,
};
use std::net::SocketAddr;

use super::{
    claim::Claim,
    gate::Secure,
    pass::{NoPass, Passes},
};

const REFRESH: HeaderName = HeaderName::from_static("refresh");
/// A password with its name, encoded.
const LONGEST_FORM: usize = 4 << 10;
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// The route `/enter`.
pub(super) fn routes(passes: Passes) -> Router {
    Router::new()
        .route("/enter", post(enter))
        .layer(DefaultBodyLimit::max(LONGEST_FORM))
        .with_state(passes)
}

/// The cookie for the token in the link, and on to the page without it. `led` is a browser that may come from another
/// site's page.
pub(super) fn by_link(passes: &Passes, query: &str, secure: bool, led: bool) -> Response {
    let rest: Vec<_> = query
        .split('&')
        .filter(|p| !p.is_empty() && !p.starts_with("t="))
        .collect();
    let to = match rest.is_empty() {
        true => "/".to_string(),
        false => format!("/?{}", rest.join("&")),
    };
    let mut response = match (led, to.parse::<HeaderValue>()) {
        // A browser that was sent by another site's page does not show the new cookie to a redirection, but to a page
        // that ours leads to.
        (true, _) => {
            let on = format!("0;url={to}").parse();
            let mut response = html(StatusCode::OK, "<p>One moment…</p>");
            if let Ok(on) = on {
                response.headers_mut().insert(REFRESH, on);
            }
            response
        }
        (false, Ok(to)) => (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response(),
        (false, Err(_)) => return StatusCode::BAD_REQUEST.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(cookie) = passes.set_cookie(secure).parse() {
        headers.insert(SET_COOKIE, cookie);
    }
    response
}

/// The page for somebody who may not watch (yet).
pub(super) fn page(why: NoPass, asks: bool) -> Response {
    let (status, sentence) = why.words();
    let status = status.split(' ').next().and_then(|s| s.parse().ok());
    let (sentence, form) = match (why, asks) {
        (NoPass::Missing | NoPass::Wrong, true) => (
            match why {
                NoPass::Missing => "Watching needs the password of this broadcast.".to_string(),
                NoPass::Wrong | NoPass::Foreign | NoPass::Later(_) => {
                    "That was not right. Try the password of this broadcast.".to_string()
                }
            },
            "<form method=\"post\" action=\"/enter\"><label>Password \
             <input type=\"password\" name=\"password\" autocomplete=\"current-password\" required autofocus></label> \
             <button>Watch</button></form>",
        ),
        (NoPass::Missing | NoPass::Wrong | NoPass::Foreign | NoPass::Later(_), _) => (sentence, ""),
    };
    let body = format!("<p role=\"status\">{sentence}</p>{form}");
    let mut response = html(status.unwrap_or(StatusCode::FORBIDDEN), &body);
    if let Some((name, value)) = why.headers()
        && let Ok(value) = value.parse()
    {
        response.headers_mut().insert(name, value);
    }
    response
}

fn html(status: StatusCode, body: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Aerial</title>\
         <link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\"><link rel=\"stylesheet\" href=\"/join.css\">\
         <main>{body}</main></html>"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Browsers name no origin at all where a page forbids to name any, and the form needs one.
        (REFERRER_POLICY, "same-origin"),
    ];
    (status, headers, text).into_response()
}

async fn enter(
    State(passes): State<Passes>,
    Extension(ConnectInfo(peer)): Extension<ConnectInfo<SocketAddr>>,
    secure: Option<Extension<Secure>>,
    uri: Uri,
    headers: HeaderMap,
    form: Bytes,
) -> Response {
    let given = url::form_urlencoded::parse(&form)
        .find(|(name, _)| name == "password")
        .map(|(_, value)| value.into_owned());
    let claim = Claim::of(peer, &uri, &headers, passes.cookie());
    match passes.enter(&claim, &given.unwrap_or_default()) {
        Ok(()) => by_link(
            &passes,
            "",
            secure.is_some_and(|Extension(Secure(yes))| yes),
            false,
        ),
        Err(why) => page(why, passes.asks()),
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
//! Who may watch: who sits at this computer, who has the link, who knows the password.
//!
//! A link carries the token as `?t=`. Opened in a browser it becomes a cookie at once, so that the token stands
//! neither in the address bar nor in what is sent on. The cookie is made of the token: a new token voids both.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{
    claim::Claim,
    door::{Names, is_local, same},
    tries::Tries,
};
use crate::{
    audience::{Audience, Transport},
    error::StudioError,
    settings::{self, Secret, Sharing, Watching},
};

/// Who may watch. Clones are handles of the same.
#[derive(Clone)]
pub(crate) struct Passes(Arc<Inner>);

struct Inner {
    /// Everybody may.
    open: bool,
    /// SHA-256 of the password.
    password: Option<[u8; 32]>,
    /// The token is kept for the next start.
    kept: AtomicBool,
    /// The broadcaster chose the token.
    chosen: bool,
    api_token: Secret,
    now: RwLock<Arc<Token>>,
    /// The cookie's name. Cookies do not know ports, so it does: two servers of one computer are two.
    cookie: String,
    names: Names,
    tries: Tries,
    audience: Audience,
}

struct Token {
    words: Secret,
    cookie: String,
    /// Another one has taken its place.
    void: CancellationToken,
}

impl Token {
    fn new(words: Secret) -> Arc<Token> {
        let sum = Sha256::new().chain_update("aerial viewer\0");
        let sum = sum.chain_update(words.expose()).finalize();
        let cookie = sum.iter().map(|b| format!("{b:02x}")).collect();
        let void = CancellationToken::new();
        Arc::new(Token {
            words,
            cookie,
            void,
        })
    }
}

/// Why somebody may not watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPass {
    /// A page of another site asks, or a name that is not ours.
    Foreign,
    /// It came without a token.
    Missing,
    /// It came with one that is not, or no longer, good.
    Wrong,
    /// Its address tried too often; seconds to wait.
    Later(u64),
}

impl NoPass {
    /// Status line and sentence.
    pub(super) fn words(self) -> (&'static str, String) {
        match self {
            NoPass::Foreign => (
                "403 Forbidden",
                "This request comes from another site. Open Aerial's own page, or use its address."
                    .into(),
            ),
            NoPass::Missing => (
                "401 Unauthorized",
                "Watching needs the link that the broadcaster gives out. Ask them for it.".into(),
            ),
            NoPass::Wrong => (
                "401 Unauthorized",
                "This link is not valid any more. Ask the broadcaster for the new one.".into(),
            ),
            NoPass::Later(seconds) => (
                "429 Too Many Requests",
                format!(
                    "Too many wrong tokens came from your address. Try again in {seconds} seconds."
                ),
            ),
        }
    }

    /// The headers that go with it.
    pub(super) fn headers(self) -> Option<(&'static str, String)> {
        match self {
            NoPass::Foreign => None,
            NoPass::Missing | NoPass::Wrong => Some(("WWW-Authenticate", "Bearer".into())),
            NoPass::Later(seconds) => Some(("Retry-After", seconds.to_string())),
        }
    }
}

/// What somebody may watch by.
pub(super) struct Pass {
    /// Done when it is not good any more; nothing for who needs none.
    pub(super) void: Option<CancellationToken>,
    /// It was in the link.
    pub(super) by_link: bool,
}

impl Passes {
    /// For a server at this port, which others reach or not.
    pub(crate) fn new(
        sharing: &Sharing,
        port: u16,
        shared: bool,
        api_token: &str,
        audience: Audience,
    ) -> Result<Passes, StudioError> {
        let (open, token, password) = match &sharing.watching {
            Watching::Open => (true, None, None),
            Watching::Invited { token, password } => (false, token.clone(), password.as_ref()),
        };
        let chosen = token.is_some();
        let kept = !chosen && shared && !open;
        let token = match token {
            Some(token) => token,
            None if kept => Secret::new(settings::viewer_token()?),
            None => Secret::new(settings::random()?),
        };
        Ok(Passes(Arc::new(Inner {
            open,
            chosen,
            password: password.map(|p| Sha256::digest(p.expose()).into()),
            kept: AtomicBool::new(kept),
            api_token: Secret::new(api_token),
            now: RwLock::new(Token::new(token)),
            cookie: format!("aerial_{port}"),
            names: Names::new(&sharing.hosts),
            tries: Tries::default(),
            audience,
        })))
    }

    /// The name of its cookie.
    pub(super) fn cookie(&self) -> &str {
        &self.0.cookie
    }

    /// The names of this server.
    pub(super) fn names(&self) -> &Names {
        &self.0.names
    }

    /// What links for others carry: nothing if everybody may watch.
    pub(crate) fn word(&self) -> Option<String> {
        let token = self.0.now.read();
        (!self.0.open).then(|| token.words.expose().to_string())
    }

    /// It is to be shared: links carry the token that stays good from one broadcast to the next.
    pub(crate) fn share(&self) -> Result<(), StudioError> {
        if self.0.open || self.0.chosen || self.0.kept.load(Relaxed) {
            return Ok(());
        }
        let token = Token::new(Secret::new(settings::viewer_token()?));
        self.0.kept.store(true, Relaxed);
        *self.0.now.write() = token;
        Ok(())
    }

    /// Another token: the links and cookies of before are void, and who watches by them is let go.
    pub(crate) fn renew(&self) -> Result<(), StudioError> {
        let token = match self.0.kept.load(Relaxed) {
            true => settings::renew_viewer_token()?,
            false => settings::random()?,
        };
        let old = std::mem::replace(&mut *self.0.now.write(), Token::new(Secret::new(token)));
        old.void.cancel();
        // Behind a proxy that does not say who comes, all have the address of this computer.
        let all = self.0.names.are_given();
        self.0.audience.kick_those(|who| {
            let local = who.ip().is_some_and(|ip| ip.is_loopback());
            who.transport != Transport::Icecast && (all || !local)
        });
        Ok(())
    }

    /// Whether this one may watch; a wrong token is counted.
    pub(super) fn check(&self, claim: &Claim) -> Result<Pass, NoPass> {
        let checked = self.look(claim);
        if let Err(NoPass::Wrong) = checked {
            self.wrong(claim);
        }
        checked
    }

    /// The same without counting: what it came with may be good for something else.
    pub(super) fn look(&self, claim: &Claim) -> Result<Pass, NoPass> {
        let token = self.0.now.read().clone();
        let pass = |void, by_link| Ok(Pass { void, by_link });
        let given = claim.link.is_some() || claim.bearer.is_some();
        if given {
            if let Some(later) = self.wait(claim) {
                return Err(later);
            }
            let fits = |word: &str| same(word, token.words.expose());
            let by_link = claim.link.is_some_and(fits);
            let by_bearer = claim.bearer.is_some_and(fits);
            if by_link || by_bearer {
                return pass(Some(token.void.clone()), by_link);
            }
            let api = |word: &str| same(word, self.0.api_token.expose());
            if claim.bearer.is_some_and(api) {
                return pass(None, false);
            }
        }
        // From here on it is the browser or the address that opens, and a page elsewhere might use them.
        if !self.0.names.are_of(claim) {
            return Err(NoPass::Foreign);
        }
        if claim.cookie.is_some_and(|c| same(c, &token.cookie)) {
            return pass(Some(token.void.clone()), false);
        }
        if self.0.open || is_local(claim) {
            return pass(None, false);
        }
        Err(if given {
            NoPass::Wrong
        } else {
            NoPass::Missing
        })
    }

    /// Whether there is a password to ask for.
    pub(super) fn asks(&self) -> bool {
        self.0.password.is_some()
    }

    /// Whether this is the password; a wrong one is counted.
    pub(super) fn enter(&self, claim: &Claim, given: &str) -> Result<(), NoPass> {
        if let Some(later) = self.wait(claim) {
            return Err(later);
        }
        let sum: [u8; 32] = Sha256::digest(given).into();
        let fits = |password: &[u8; 32]| subtle::ConstantTimeEq::ct_eq(&sum[..], &password[..]);
        if self.0.password.as_ref().is_some_and(|p| fits(p).into()) {
            return Ok(());
        }
        self.wrong(claim);
        Err(NoPass::Wrong)
    }

    /// How long this one has to wait before another token or password of it is looked at.
    pub(super) fn wait(&self, claim: &Claim) -> Option<NoPass> {
        if is_local(claim) {
            return None;
        }
        let wait = self.0.tries.wait(claim.visitor.ip())?;
        Some(NoPass::Later(wait.as_secs() + 1))
    }

    /// A token of another kind was wrong.
    pub(super) fn wrong(&self, claim: &Claim) {
        if !is_local(claim) {
            self.0.tries.wrong(claim.visitor.ip());
        }
    }

    /// The header that gives a browser its cookie.
    pub(super) fn set_cookie(&self, secure: bool) -> String {
        let token = self.0.now.read();
        let secure = if secure { "; Secure" } else { "" };
        format!(
            "{}={}; HttpOnly; SameSite=Strict; Path=/{secure}",
            self.0.cookie, token.cookie
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(watching: Watching) -> Passes {
        let sharing = Sharing {
            watching,
            hosts: vec!["live.example.org".into()],
            ..Sharing::default()
        };
        let audience = Audience::new(|_| ());
        Passes::new(&sharing, 80, true, "api-token", audience).unwrap()
    }

    fn invited() -> Passes {
        passes(Watching::Invited {
            token: Some(Secret::new("good-token")),
            password: Some(Secret::new("pass word")),
        })
    }

    type Headers<'a> = &'a [(&'a str, &'a str)];

    fn ask(passes: &Passes, peer: &str, query: &str, headers: Headers) -> Option<NoPass> {
        let pairs = headers.iter().map(|(n, v)| (*n, v.as_bytes()));
        let claim = Claim::new(peer.parse().unwrap(), query, "aerial_80", pairs);
        passes.check(&claim).err()
    }

    const OUT: &str = "192.0.2.1:5";
    const HERE: &str = "127.0.0.1:5";

    #[test]
    fn who_sits_here_needs_nothing_and_others_need_the_token() {
        let p = invited();
        let own = [("Host", "192.0.2.9:80")];
        assert_eq!(ask(&p, HERE, "", &[("Host", "localhost:80")]), None);
        assert_eq!(ask(&p, HERE, "", &[]), None);
        assert_eq!(ask(&p, OUT, "", &own), Some(NoPass::Missing));
        assert_eq!(ask(&p, OUT, "t=", &own), Some(NoPass::Wrong));
        assert_eq!(ask(&p, OUT, "t=good-tokem", &own), Some(NoPass::Wrong));
        assert_eq!(ask(&p, OUT, "t=good-token", &own), None);
        for bearer in ["Bearer good-token", "Bearer api-token"] {
            let said = [own[0], ("Authorization", bearer)];
            assert_eq!(ask(&p, OUT, "", &said), None);
        }
        let cookie = p.set_cookie(false);
        let cookie = cookie.split(';').next().unwrap().to_string();
        assert_eq!(ask(&p, OUT, "", &[own[0], ("Cookie", &cookie)]), None);
    }

    #[test]
    fn a_foreign_name_needs_the_token_even_here_and_a_proxy_is_not_here() {
        let p = invited();
        let evil = [("Host", "evil.example")];
        assert_eq!(ask(&p, HERE, "", &evil), Some(NoPass::Foreign));
        assert_eq!(ask(&p, HERE, "t=good-token", &evil), None);
        let page = [("Host", "localhost:80"), ("Origin", "null")];
        assert_eq!(ask(&p, HERE, "", &page), Some(NoPass::Foreign));
        let cookie = p.set_cookie(false);
        let cookie = [evil[0], ("Cookie", cookie.split(';').next().unwrap())];
        assert_eq!(ask(&p, HERE, "", &cookie), Some(NoPass::Foreign));
        for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"] {
            let said = [("Host", "127.0.0.1:80"), (header, "127.0.0.1")];
            assert_eq!(ask(&p, HERE, "", &said), Some(NoPass::Missing), "{header}");
        }
        let named = [("Host", "live.example.org")];
        assert_eq!(ask(&p, HERE, "", &named), Some(NoPass::Missing));
        let open = passes(Watching::Open);
        assert_eq!(ask(&open, OUT, "", &named), None);
        assert_eq!(ask(&open, OUT, "", &evil), Some(NoPass::Foreign));
    }

    #[test]
    fn who_tries_too_often_has_to_wait_even_with_the_right_one() {
        let p = invited();
        let own = [("Host", "192.0.2.9:80")];
        for _ in 0..20 {
            assert_eq!(ask(&p, OUT, "t=wrong", &own), Some(NoPass::Wrong));
        }
        let later = |refused| matches!(refused, Some(NoPass::Later(1..=7)));
        assert!(later(ask(&p, OUT, "t=wrong", &own)));
        assert!(later(ask(&p, OUT, "t=good-token", &own)));
        assert_eq!(ask(&p, "192.0.2.2:5", "t=good-token", &own), None);
        let claim = |peer: &str| Claim::new(peer.parse().unwrap(), "", "c", std::iter::empty());
        assert!(later(p.enter(&claim(OUT), "pass word").err()));
        let other = claim("192.0.2.3:1");
        assert_eq!(p.enter(&other, "password"), Err(NoPass::Wrong));
        assert_eq!(p.enter(&other, "pass word"), Ok(()));
    }

    #[test]
    fn a_new_token_voids_links_and_cookies_and_lets_others_go() {
        use crate::audience::Who;
        let p = invited();
        let join = |address: &str, transport| {
            let who = Who {
                transport,
                format: String::new(),
                address: address.into(),
                agent: String::new(),
            };
            p.0.audience.join(who).unwrap()
        };
        let (out, relay) = (
            join(OUT, Transport::Hls),
            join("192.0.2.4", Transport::Icecast),
        );
        let cookie = p.set_cookie(true);
        p.renew().unwrap();
        assert!(out.is_kicked() && !relay.is_kicked());
        let own = ("Host", "192.0.2.9:80");
        assert_eq!(ask(&p, OUT, "t=good-token", &[own]), Some(NoPass::Wrong));
        let cookie = ("Cookie", cookie.split(';').next().unwrap());
        assert_eq!(ask(&p, OUT, "", &[own, cookie]), Some(NoPass::Missing));
        let link = format!("t={}", p.word().unwrap());
        assert_eq!(ask(&p, OUT, &link, &[own]), None);
    }
}

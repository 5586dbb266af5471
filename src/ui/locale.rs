// SPDX-License-Identifier: GPL-3.0-or-later
//! The language of the window.

use gettextrs::{LocaleCategory, bind_textdomain_codeset, bindtextdomain, setlocale, textdomain};

/// The name under which translations are installed.
const DOMAIN: &str = "aerial";

/// Speak the user's language, as far as there is a translation beside the program (`bin/aerial` → `share/locale`).
/// Whatever fails here leaves the window in English.
pub fn choose() {
    setlocale(LocaleCategory::LcAll, "");
    let program = std::env::current_exe().ok();
    if let Some(prefix) = program.as_deref().and_then(|p| p.ancestors().nth(2))
        && let Err(e) = bindtextdomain(DOMAIN, prefix.join("share/locale"))
    {
        tracing::warn!(error = %e, "no translations");
    }
    let chosen = bind_textdomain_codeset(DOMAIN, "UTF-8").and_then(|_| textdomain(DOMAIN));
    if let Err(e) = chosen {
        tracing::warn!(error = %e, "no translations");
    }
}

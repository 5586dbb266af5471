// SPDX-License-Identifier: GPL-3.0-or-later
//! Profiles and the API token.

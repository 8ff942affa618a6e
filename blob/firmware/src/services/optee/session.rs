// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which sessions are open, and with which trusted applications.

/// How many sessions there can be at the same time.
const SESSIONS: usize = 16;

/// The open sessions.
#[derive(Debug)]
pub(super) struct Sessions {
    open: [Option<Session>; SESSIONS],
    /// The ID that was given out last.
    last: u32,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    id: u32,
    app: usize,
}

impl Sessions {
    /// No session.
    pub(super) const NONE: Sessions = Sessions {
        open: [None; SESSIONS],
        last: 0,
    };

    /// Opens a session with application number `app`; [`None`] if there are too many.
    ///
    /// An ID is not 0, and comes back only after all others.
    pub(super) fn open(&mut self, app: usize) -> Option<u32> {
        let free = self.open.iter().position(Option::is_none)?;
        let id = self.unused();
        self.open[free] = Some(Session { id, app });
        self.last = id;
        Some(id)
    }

    fn unused(&self) -> u32 {
        let mut id = self.last;
        loop {
            id = id.wrapping_add(1);
            if id != 0 && self.app(id).is_none() {
                return id;
            }
        }
    }

    /// The application of an open session.
    pub(super) fn app(&self, id: u32) -> Option<usize> {
        let session = self.open.iter().flatten().find(|session| session.id == id);
        session.map(|session| session.app)
    }

    /// Closes a session; false if it is not open.
    pub(super) fn close(&mut self, id: u32) -> bool {
        let mut open = self.open.iter_mut();
        let slot = open.find(|slot| slot.is_some_and(|session| session.id == id));
        slot.and_then(Option::take).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_until_it_is_closed() {
        let mut sessions = Sessions::NONE;
        let one = sessions.open(5).expect("room");
        let two = sessions.open(6).expect("room");
        assert_ne!(one, two);
        assert_eq!((sessions.app(one), sessions.app(two)), (Some(5), Some(6)));
        assert!(sessions.close(one));
        assert!(!sessions.close(one), "it is closed already");
        assert_eq!((sessions.app(one), sessions.app(two)), (None, Some(6)));
        assert_ne!(sessions.open(7), Some(one), "no ID comes back so soon");
    }

    #[test]
    fn their_number_is_bounded() {
        let mut sessions = Sessions::NONE;
        let ids: Vec<_> = (0..SESSIONS).map(|app| sessions.open(app)).collect();
        assert!(ids.iter().all(Option::is_some));
        assert_eq!(sessions.open(0), None);
        assert!(sessions.close(ids[3].expect("an ID")));
        assert!(sessions.open(0).is_some());
    }

    #[test]
    fn an_id_is_neither_zero_nor_taken() {
        let mut sessions = Sessions::NONE;
        assert_eq!(sessions.open(0), Some(1));
        sessions.last = u32::MAX;
        assert_eq!(sessions.open(0), Some(2));
        assert_eq!(sessions.app(0), None);
        assert!(!sessions.close(0));
    }
}

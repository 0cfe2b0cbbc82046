//! The ways to check a password: how each is called, and the order in which they are tried. Pure: checks none.

use super::nearest::nearest;

/// A way to check a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The user file of this suite, and of MetaFTPd.
    Native,
    /// /etc/passwd, where it holds the password itself.
    Passwd,
    /// /etc/shadow.
    Shadow,
    /// The modules that the system has configured.
    Pam,
}

impl Method {
    pub const ALL: [Method; 4] = [Method::Native, Method::Passwd, Method::Shadow, Method::Pam];

    /// Finds a method by its word, in any ASCII case as in MetaFTPd.
    pub fn find(word: &str) -> Result<Method, String> {
        if let Some(method) = Method::ALL
            .into_iter()
            .find(|method| method.name().eq_ignore_ascii_case(word))
        {
            return Ok(method);
        }
        let shown: String = word.chars().take(32).flat_map(char::escape_debug).collect();
        if word
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case("hp-"))
        {
            // Whoever hears challenge and answer can try passwords at leisure, and the file must have them as they are.
            return Err(format!(
                "\"{shown}\" is a login by challenge, which there is none of: leave it out; users of type challenge log in by \
                 native with the password itself, which a Certificate keeps others from hearing"
            ));
        }
        let mut names = Method::ALL.map(Method::name).to_vec();
        names.push(Methods::SESSION_PAM);
        Err(match nearest(word, names.iter().copied()) {
            Some(name) => format!("unknown method \"{shown}\", did you mean \"{name}\"?"),
            None => format!(
                "unknown method \"{shown}\", expected one of {}",
                names.join(", ")
            ),
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Method::Native => "native",
            Method::Passwd => "passwd",
            Method::Shadow => "shadow",
            Method::Pam => "pam",
        }
    }
}

/// The methods of a server: at least one, none of them twice, in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Methods {
    order: Vec<Method>,
    session_pam: bool,
}

impl Methods {
    /// The word for what comes on top of a method: PAM's rules of account and session for the real user.
    pub const SESSION_PAM: &str = "session-pam";

    /// `None` where there is none. A method that was named before is not tried again.
    pub fn new(methods: impl IntoIterator<Item = Method>) -> Option<Methods> {
        let mut order = Vec::new();
        for method in methods {
            if !order.contains(&method) {
                order.push(method);
            }
        }
        (!order.is_empty()).then_some(Methods {
            order,
            session_pam: false,
        })
    }

    /// The same, with PAM's rules of account and session on top.
    #[must_use]
    pub fn with_session_pam(self) -> Methods {
        Methods {
            session_pam: true,
            ..self
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Method> {
        self.order.iter().copied()
    }

    /// Whether PAM's rules of account and session count, whatever the method.
    pub fn session_pam(&self) -> bool {
        self.session_pam
    }

    /// Whether anything is asked of PAM.
    pub fn need_pam(&self) -> bool {
        self.session_pam || self.order.contains(&Method::Pam)
    }

    /// Whether users of the system itself may log in, rather than those of a file of ours only.
    pub fn any_of_system(&self) -> bool {
        self.iter().any(|method| method != Method::Native)
    }
}

impl Default for Methods {
    fn default() -> Self {
        Methods {
            order: vec![Method::Native],
            session_pam: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_name_in_any_case() {
        for method in Method::ALL {
            assert_eq!(Method::find(method.name()), Ok(method));
            assert_eq!(
                Method::find(&method.name().to_ascii_uppercase()),
                Ok(method)
            );
        }
    }

    #[test]
    fn another_word_is_an_error_that_names_what_was_meant() {
        assert_eq!(
            Method::find("shadwo"),
            Err("unknown method \"shadwo\", did you mean \"shadow\"?".to_owned())
        );
        assert_eq!(
            Method::find("hd-md5"),
            Err(
                "unknown method \"hd-md5\", expected one of native, passwd, shadow, pam, session-pam"
                    .to_owned()
            )
        );
        for word in ["hp-md5", "HP-sha1"] {
            let told = Method::find(word).unwrap_err();
            assert!(told.contains("by native") && told.contains(word), "{told}");
        }
    }

    #[test]
    fn methods_keep_their_order_and_come_once() {
        use Method::{Native, Shadow};
        let methods = Methods::new([Shadow, Native, Shadow]).unwrap();
        assert_eq!(methods.iter().collect::<Vec<_>>(), [Shadow, Native]);
        assert_eq!(Methods::new([]), None);
    }
}

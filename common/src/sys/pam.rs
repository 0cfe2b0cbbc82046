//! libpam, found when the program runs rather than when it is built: nobody needs its headers, and who does not use PAM does
//! not load it. For a process that does nothing else, as modules are other people's code.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use nix::libc;
use zeroize::Zeroizing;

#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct Response {
    text: *mut c_char,
    unused: c_int,
}

#[repr(C)]
struct Conversation {
    talk: extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int,
    data: *mut c_void,
}

type Handle = *mut c_void;

/// What of libpam is used.
struct Library {
    start: unsafe extern "C" fn(
        *const c_char,
        *const c_char,
        *const Conversation,
        *mut Handle,
    ) -> c_int,
    end: unsafe extern "C" fn(Handle, c_int) -> c_int,
    set_item: unsafe extern "C" fn(Handle, c_int, *const c_void) -> c_int,
    strerror: unsafe extern "C" fn(Handle, c_int) -> *const c_char,
    authenticate: unsafe extern "C" fn(Handle, c_int) -> c_int,
    acct_mgmt: unsafe extern "C" fn(Handle, c_int) -> c_int,
    setcred: unsafe extern "C" fn(Handle, c_int) -> c_int,
    open_session: unsafe extern "C" fn(Handle, c_int) -> c_int,
    close_session: unsafe extern "C" fn(Handle, c_int) -> c_int,
}

impl Library {
    fn load() -> Option<Library> {
        // Its names are everybody's, and looked for as the linker would: a library that was loaded before goes first.
        let flags = libc::RTLD_NOW | libc::RTLD_GLOBAL;
        // SAFETY: the name is a C string; libpam has no constructors that need anything of us. It is never closed.
        let library = unsafe { libc::dlopen(c"libpam.so.0".as_ptr(), flags) };
        if library.is_null() {
            return None;
        }
        let find = |name: &CStr| {
            // SAFETY: the library is open and the name a C string.
            let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
            (!found.is_null()).then_some(found)
        };
        macro_rules! function {
            ($name:literal) => {{
                let found = find($name)?;
                // SAFETY: Linux-PAM declares the function of this name with this type, and its binary interface is stable.
                unsafe { std::mem::transmute::<*mut c_void, _>(found) }
            }};
        }
        #[expect(
            clippy::missing_transmute_annotations,
            reason = "the fields have the types"
        )]
        Some(Library {
            start: function!(c"pam_start"),
            end: function!(c"pam_end"),
            set_item: function!(c"pam_set_item"),
            strerror: function!(c"pam_strerror"),
            authenticate: function!(c"pam_authenticate"),
            acct_mgmt: function!(c"pam_acct_mgmt"),
            setcred: function!(c"pam_setcred"),
            open_session: function!(c"pam_open_session"),
            close_session: function!(c"pam_close_session"),
        })
    }
}

/// Whether this system has libpam.
pub fn is_there() -> bool {
    Library::load().is_some()
}

/// One transaction with PAM. When it is dropped, the session is closed and the credentials are deleted, as far as they were
/// opened and established.
pub struct Transaction {
    library: Library,
    handle: Handle,
    /// What the conversation reads, which belongs to this; libpam holds the address.
    answer: *mut Answer,
    credentials: bool,
    session: bool,
}

/// The answer to a question for a password: none where there is nobody to be asked.
/// With a NUL behind it, and wiped when it is dropped.
struct Answer(Option<Zeroizing<Vec<u8>>>);

/// What is known of a client.
#[derive(Clone, Copy)]
pub struct About<'a> {
    pub service: &'a CStr,
    pub user: &'a CStr,
    /// The client's address.
    pub host: &'a CStr,
    /// The name that the client sent.
    pub typed: &'a CStr,
}

impl Transaction {
    /// Begins. `Err` is a sentence, here and below.
    pub fn begin(about: About<'_>, secret: Option<&[u8]>) -> Result<Transaction, String> {
        let library = Library::load().ok_or("this system has no libpam.so.0")?;
        if secret.is_some_and(|secret| secret.contains(&0)) {
            return Err("the password holds a NUL".to_owned());
        }
        let secret = secret.map(|secret| Zeroizing::new([secret, b"\0"].concat()));
        let answer = Box::into_raw(Box::new(Answer(secret)));
        let conversation = Conversation {
            talk,
            data: answer.cast(),
        };
        let mut handle = null_mut();
        // SAFETY: libpam copies the texts and the conversation; the answer that the latter points to lives longer than the handle.
        let code = unsafe {
            (library.start)(
                about.service.as_ptr(),
                about.user.as_ptr(),
                &raw const conversation,
                &raw mut handle,
            )
        };
        if code != SUCCESS || handle.is_null() {
            // SAFETY: it came out of a box, and there is no handle that knows it.
            drop(unsafe { Box::from_raw(answer) });
            return Err(format!("pam_start failed with code {code}"));
        }
        let transaction = Transaction {
            library,
            handle,
            answer,
            credentials: false,
            session: false,
        };
        for (item, text) in [(RHOST, about.host), (TTY, c"ftp"), (RUSER, about.typed)] {
            // SAFETY: the handle is open, and libpam copies the text.
            let code =
                unsafe { (transaction.library.set_item)(handle, item, text.as_ptr().cast()) };
            transaction.result("pam_set_item", code)?;
        }
        Ok(transaction)
    }

    /// Checks the password.
    pub fn authenticate(&mut self) -> Result<(), String> {
        // SAFETY: the handle is open.
        let code = unsafe { (self.library.authenticate)(self.handle, SILENT | NO_EMPTY_PASSWORD) };
        self.result("pam_authenticate", code)
    }

    /// Asks whether the account may log in.
    pub fn account(&mut self) -> Result<(), String> {
        // SAFETY: the handle is open.
        let code = unsafe { (self.library.acct_mgmt)(self.handle, SILENT | NO_EMPTY_PASSWORD) };
        self.result("pam_acct_mgmt", code)
    }

    /// Establishes the credentials and opens the session.
    pub fn open(&mut self) -> Result<(), String> {
        // SAFETY: the handle is open.
        let code = unsafe { (self.library.setcred)(self.handle, SILENT | ESTABLISH) };
        self.result("pam_setcred", code)?;
        self.credentials = true;
        // SAFETY: the handle is open.
        let code = unsafe { (self.library.open_session)(self.handle, SILENT) };
        self.result("pam_open_session", code)?;
        self.session = true;
        Ok(())
    }

    /// Whether there is a session to be closed.
    pub fn is_open(&self) -> bool {
        self.session
    }

    /// Wipes the password: whatever modules ask from here on they ask in vain.
    pub fn forget_secret(&mut self) {
        // SAFETY: it lives as long as this, and libpam reads it during calls only.
        unsafe { (*self.answer).0 = None };
    }

    fn result(&self, step: &str, code: c_int) -> Result<(), String> {
        if code == SUCCESS {
            return Ok(());
        }
        // SAFETY: the handle is open.
        let text = unsafe { (self.library.strerror)(self.handle, code) };
        if text.is_null() {
            return Err(format!("{step}: code {code}"));
        }
        // SAFETY: what is not NULL is a C string that libpam keeps.
        let text = unsafe { CStr::from_ptr(text) };
        Err(format!("{step}: {}", text.to_string_lossy()))
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let mut last = SUCCESS;
        if self.session {
            // SAFETY: the handle is open.
            last = unsafe { (self.library.close_session)(self.handle, SILENT) };
        }
        if self.credentials {
            // SAFETY: the handle is open.
            last = unsafe { (self.library.setcred)(self.handle, SILENT | DELETE) };
        }
        // SAFETY: the handle is open, and not used again.
        unsafe { (self.library.end)(self.handle, last) };
        // SAFETY: it came out of a box, and the handle that knew it is gone.
        drop(unsafe { Box::from_raw(self.answer) });
    }
}

/// Answers what modules ask: a question without echo with the password, any other not at all. What they tell is dropped.
extern "C" fn talk(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    let Some(count) = usize::try_from(count)
        .ok()
        .filter(|count| (1..=MOST_MESSAGES).contains(count))
    else {
        return CONVERSATION_FAILED;
    };
    // SAFETY: the data is the answer, which outlives the handle; nobody writes to it during a call.
    let answer = unsafe { &*data.cast::<Answer>() };
    let style = |place: usize| {
        // SAFETY: Linux-PAM passes an array of so many pointers to messages.
        let message = unsafe { *messages.add(place) };
        // SAFETY: each of them is a message that lives during the call.
        unsafe { (*message).style }
    };
    let refuses = |place| match style(place) {
        QUESTION => answer.0.is_none(),
        ERROR | INFO => false,
        _ => true,
    };
    if responses.is_null() {
        // Some modules want no answer to what they tell.
        let told = (0..count).all(|place| matches!(style(place), ERROR | INFO));
        return if told { SUCCESS } else { CONVERSATION_FAILED };
    }
    if (0..count).any(refuses) {
        return CONVERSATION_FAILED;
    }
    // SAFETY: plain memory of our own choice of size; libpam frees it.
    let given = unsafe { libc::calloc(count, size_of::<Response>()) }.cast::<Response>();
    if given.is_null() {
        return OUT_OF_MEMORY;
    }
    for place in 0..count {
        if style(place) == QUESTION {
            let text = answer
                .0
                .as_ref()
                .map_or(null(), |text| text.as_ptr().cast());
            // SAFETY: `refuses` has seen that there is an answer, so it is a C string.
            let copy = unsafe { libc::strdup(text) };
            // SAFETY: the array has so many elements; NULL is no answer, which modules know.
            unsafe { (*given.add(place)).text = copy };
        }
    }
    // SAFETY: not NULL as seen above, and the caller's to be written.
    unsafe { *responses = given };
    SUCCESS
}

/// Of Linux-PAM's headers.
const SUCCESS: c_int = 0;
const OUT_OF_MEMORY: c_int = 5;
const CONVERSATION_FAILED: c_int = 19;
const QUESTION: c_int = 1;
const ERROR: c_int = 3;
const INFO: c_int = 4;
const TTY: c_int = 3;
const RHOST: c_int = 4;
const RUSER: c_int = 8;
const NO_EMPTY_PASSWORD: c_int = 1;
const ESTABLISH: c_int = 2;
const DELETE: c_int = 4;
const SILENT: c_int = 0x8000;
const MOST_MESSAGES: usize = 32;

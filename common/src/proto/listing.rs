//! What a client may ask of a listing beside its path, in the words of `ls`. Pure: no I/O.

/// The options of LIST and NLST that are understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// `-a`, `-A`: names that begin with a dot too. The entries `.` and `..` are never shown.
    pub all: bool,
    /// `-R`: the directories below too, each after the one that holds it.
    pub recursive: bool,
    /// `-d`: a directory itself instead of what is in it.
    pub itself: bool,
    pub order: Order,
    /// `-r`: the order backwards.
    pub reverse: bool,
}

/// In which order entries are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As the directory has them: a listing begins at once and needs no memory.
    #[default]
    Unsorted,
    /// By the octets of the names.
    Name,
    /// `-t`: the latest change first.
    Time,
    /// `-S`: the largest first.
    Size,
}

/// How a listing came out, from the best to the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// Everything that was asked for, as it was asked for.
    #[default]
    Whole,
    /// Everything, but too much of it to be sorted.
    Unsorted,
    /// Without what is in directories that may not be read.
    Unreadable,
    /// It broke off where directories lie too deep.
    TooDeep,
    /// It broke off after too many entries.
    TooMany,
    /// It broke off because it took too long.
    TooLong,
}

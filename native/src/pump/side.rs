use crate::event_loop::{self, Token, errno};

/// What the kernel says an fd is, as far as moving bytes is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Pipe,
    /// A stream socket; `splices`: the kernel can splice with it (AF_VSOCK sends page by page at best).
    Socket {
        splices: bool,
    },
    /// Terminals and other character devices.
    Character,
    /// Regular files and block devices.
    File,
}

/// Bytes that a pipe takes without blocking when poll(2) says it is writable (PIPE_BUF, pipe(7)).
const PIPE_BUF: usize = 4096;
/// The same for a terminal, whose writable room is not told.
const TERMINAL_ROOM: usize = 1024;

/// One end of a pump: a duplicate of the caller's fd.
pub struct Side {
    pub fd: i32,
    pub kind: Kind,
    /// O_NONBLOCK was set by whoever made the open file description. It is never set here: the description is
    /// shared with containerd or the client, and it would change under their feet.
    nonblocking: bool,
    /// epoll(7) cannot watch it (files, /dev/null): it is always ready.
    pub always_ready: bool,
    /// The kernel reported an edge, and no call said EAGAIN since.
    pub ready: bool,
}

/// EAGAIN, or the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    Again,
    Failed(i32),
}

fn outcome(value: isize) -> Result<usize, Stall> {
    if value >= 0 {
        return Ok(value as usize);
    }
    match errno() {
        libc::EAGAIN => Err(Stall::Again),
        other => Err(Stall::Failed(other)),
    }
}

fn retry(mut call: impl FnMut() -> isize) -> Result<usize, Stall> {
    loop {
        match outcome(call()) {
            Err(Stall::Failed(libc::EINTR)) => {}
            other => return other,
        }
    }
}

impl Side {
    /// Duplicates `fd`. Err: errno.
    pub fn duplicate(fd: i32) -> Result<Side, i32> {
        // SAFETY: takes no pointers.
        let own = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) };
        if own < 0 {
            return Err(errno());
        }
        // SAFETY: takes no pointers.
        let nonblocking = unsafe { libc::fcntl(own, libc::F_GETFL) } & libc::O_NONBLOCK != 0;
        Ok(Side { fd: own, kind: kind_of(own), nonblocking, always_ready: false, ready: false })
    }

    /// Edge-triggered. Err: errno.
    pub fn register(&mut self, events: i32, token: Token) -> Result<(), i32> {
        match event_loop::control(libc::EPOLL_CTL_ADD, self.fd, (events | libc::EPOLLET) as u32, token) {
            Err(libc::EPERM) => {
                self.always_ready = true;
                self.ready = true;
                Ok(())
            }
            other => other,
        }
    }

    /// Out of the epoll instance first: a forked child may hold the description open, and its events would go on.
    pub fn close(&mut self) {
        if !self.always_ready {
            let _ = event_loop::control(libc::EPOLL_CTL_DEL, self.fd, 0, Token::PumpSource { id: 0 });
        }
        // SAFETY: our own duplicate, closed once.
        unsafe { libc::close(self.fd) };
        self.fd = -1;
    }

    /// Whether splice(2) with it never blocks: a pipe by SPLICE_F_NONBLOCK, a socket by its own flag.
    pub fn splices(&self) -> bool {
        match self.kind {
            Kind::Pipe => true,
            Kind::Socket { splices } => splices && self.nonblocking,
            Kind::File => true,
            Kind::Character => false,
        }
    }

    /// Never blocks. Ok(0) is the end of the source, as is EIO of a terminal whose other side is closed.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, Stall> {
        let (start, length) = (buffer.as_mut_ptr().cast(), buffer.len());
        let got = match self.kind {
            // SAFETY: the kernel writes inside the buffer.
            Kind::Socket { .. } => retry(|| unsafe { libc::recv(self.fd, start, length, libc::MSG_DONTWAIT) }),
            _ if self.must_ask() && !self.polls(libc::POLLIN) => Err(Stall::Again),
            // SAFETY: as above.
            _ => retry(|| unsafe { libc::read(self.fd, start, length) }),
        };
        match got {
            Err(Stall::Failed(libc::EIO)) if self.kind == Kind::Character => Ok(0),
            other => self.never_again(other),
        }
    }

    /// Never blocks; may take less than given.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Stall> {
        let start = bytes.as_ptr().cast();
        if let Kind::Socket { .. } = self.kind {
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: the kernel reads inside the bytes.
            return retry(|| unsafe { libc::send(self.fd, start, bytes.len(), flags) });
        }
        let mut length = bytes.len();
        if self.must_ask() {
            if !self.polls(libc::POLLOUT) {
                return Err(Stall::Again);
            }
            length = length.min(if self.kind == Kind::Pipe { PIPE_BUF } else { TERMINAL_ROOM });
        }
        // SAFETY: the kernel reads inside the bytes.
        self.never_again(retry(|| unsafe { libc::write(self.fd, start, length) }))
    }

    /// What epoll(7) cannot watch cannot be waited for either: its EAGAIN is an error.
    fn never_again(&self, outcome: Result<usize, Stall>) -> Result<usize, Stall> {
        match outcome {
            Err(Stall::Again) if self.always_ready => Err(Stall::Failed(libc::EAGAIN)),
            other => other,
        }
    }

    /// A blocking pipe or terminal is asked before each call, and nobody else reads or writes at our end.
    fn must_ask(&self) -> bool {
        !self.nonblocking && matches!(self.kind, Kind::Pipe | Kind::Character) && !self.always_ready
    }

    /// Whether poll(2) reports `events`, an error or a hang-up now.
    pub fn polls(&self, events: i16) -> bool {
        self.poll(events) != 0
    }

    /// Whether nothing is left to read and nobody can write any more, found out without reading.
    pub fn is_at_end(&self) -> bool {
        if let Kind::Socket { .. } = self.kind {
            let mut byte = 0u8;
            let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
            // SAFETY: the kernel writes at most one byte.
            return unsafe { libc::recv(self.fd, (&raw mut byte).cast(), 1, flags) } == 0;
        }
        !self.always_ready && self.poll(libc::POLLIN) & (libc::POLLIN | libc::POLLHUP) == libc::POLLHUP
    }

    fn poll(&self, events: i16) -> i16 {
        let mut entry = libc::pollfd { fd: self.fd, events, revents: 0 };
        // SAFETY: one entry, no waiting.
        unsafe { libc::poll(&mut entry, 1, 0) };
        entry.revents
    }

    /// The pending error of a socket; otherwise EPIPE.
    pub fn take_error(&self) -> i32 {
        match option(self.fd, libc::SO_ERROR) {
            0 => libc::EPIPE,
            error => error,
        }
    }
}

fn kind_of(fd: i32) -> Kind {
    // SAFETY: an all-zero stat is valid, and filled by the kernel.
    let mode = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        libc::fstat(fd, &mut stat);
        stat.st_mode & libc::S_IFMT
    };
    match mode {
        libc::S_IFIFO => Kind::Pipe,
        libc::S_IFSOCK => {
            let domain = option(fd, libc::SO_DOMAIN);
            Kind::Socket { splices: matches!(domain, libc::AF_UNIX | libc::AF_INET | libc::AF_INET6) }
        }
        libc::S_IFCHR => Kind::Character,
        _ => Kind::File,
    }
}

/// An integer option of SOL_SOCKET; 0 for what is no socket.
fn option(fd: i32, name: i32) -> i32 {
    let mut value = 0i32;
    let mut length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the kernel writes four bytes.
    unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &mut length) };
    value
}

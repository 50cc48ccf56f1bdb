//! Sockets

use std::net::{IpAddr, SocketAddr};

use super::{result, retry};
use crate::js::{Buffer, Failure, Outcome, Text};
use crate::{js_output, sys_functions};

js_output! {
    struct VsockAddress {
        cid as "cid": u32,
        port as "port": u32,
    }
}

js_output! {
    struct PeerCredentials {
        pid as "pid": i32,
        uid as "uid": u32,
        gid as "gid": u32,
    }
}

fn length_of<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

/// A struct sockaddr_un and its length. A leading NUL means the abstract namespace, whose names have no NUL at the end.
fn unix_address(path: &[u8]) -> Outcome<(libc::sockaddr_un, libc::socklen_t)> {
    let abstract_name = path.first() == Some(&0);
    // SAFETY: an all-zero sockaddr_un is valid.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    let room = address.sun_path.len() - usize::from(!abstract_name);
    if path.len() > room {
        return Err(Failure::Errno(libc::ENAMETOOLONG));
    }
    if !abstract_name && path.contains(&0) {
        return Err(Failure::Argument("a path without NUL"));
    }
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (place, byte) in address.sun_path.iter_mut().zip(path) {
        *place = *byte as libc::c_char;
    }
    let used = std::mem::offset_of!(libc::sockaddr_un, sun_path) + path.len() + usize::from(!abstract_name);
    Ok((address, used as libc::socklen_t))
}

fn vsock_address(cid: u32, port: u32) -> libc::sockaddr_vm {
    // SAFETY: an all-zero sockaddr_vm is valid.
    let mut address: libc::sockaddr_vm = unsafe { std::mem::zeroed() };
    address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
    address.svm_cid = cid;
    address.svm_port = port;
    address
}

/// An internet address as the kernel takes it: 28 bytes hold both families.
fn inet_address(text: &Text, port: u32) -> Outcome<(libc::sockaddr_in6, libc::socklen_t)> {
    let address: IpAddr = std::str::from_utf8(text.as_bytes())
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Failure::Argument("an IPv4 or IPv6 address"))?;
    let port = u16::try_from(port).map_err(|_| Failure::Argument("a port below 65536"))?;
    // SAFETY: all-zero addresses are valid; a sockaddr_in is smaller than the sockaddr_in6 it is written over.
    unsafe {
        let mut place: libc::sockaddr_in6 = std::mem::zeroed();
        match SocketAddr::new(address, port) {
            SocketAddr::V4(v4) => {
                let v4_place = (&raw mut place).cast::<libc::sockaddr_in>();
                (*v4_place).sin_family = libc::AF_INET as libc::sa_family_t;
                (*v4_place).sin_port = port.to_be();
                (*v4_place).sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
                Ok((place, length_of::<libc::sockaddr_in>()))
            }
            SocketAddr::V6(v6) => {
                place.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                place.sin6_port = port.to_be();
                place.sin6_addr.s6_addr = v6.ip().octets();
                Ok((place, length_of::<libc::sockaddr_in6>()))
            }
        }
    }
}

fn bind<T>(fd: i32, address: &T, length: libc::socklen_t) -> Outcome {
    // SAFETY: the address holds at least `length` bytes.
    result(unsafe { libc::bind(fd, std::ptr::from_ref(address).cast(), length) }.into())
}

/// Not retried after EINTR: the connection goes on being made, and a second connect would be EALREADY.
fn connect<T>(fd: i32, address: &T, length: libc::socklen_t) -> Outcome {
    // SAFETY: the address holds at least `length` bytes.
    result(unsafe { libc::connect(fd, std::ptr::from_ref(address).cast(), length) }.into())
}

type NameCall = unsafe extern "C" fn(i32, *mut libc::sockaddr, *mut libc::socklen_t) -> i32;

fn vsock_name(fd: i32, call: NameCall) -> Outcome<VsockAddress> {
    let mut address = vsock_address(0, 0);
    let mut length = length_of::<libc::sockaddr_vm>();
    // SAFETY: the kernel writes at most `length` bytes.
    result(unsafe { call(fd, (&raw mut address).cast(), &mut length) }.into())?;
    if i32::from(address.svm_family) != libc::AF_VSOCK {
        return Err(Failure::Errno(libc::EAFNOSUPPORT));
    }
    Ok(VsockAddress { cid: address.svm_cid, port: address.svm_port })
}

sys_functions! {
    /// socket(2); SOCK_CLOEXEC is always added.
    fn socket as "socket"(domain: i32, r#type: i32, protocol: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::socket(domain, r#type | libc::SOCK_CLOEXEC, protocol) }.into())
    }

    /// socketpair(2); SOCK_CLOEXEC is always added.
    fn socketpair as "socketpair"(domain: i32, r#type: i32, protocol: i32) -> Outcome<[i32; 2]> {
        let mut ends = [0; 2];
        // SAFETY: the kernel writes two fds.
        result(unsafe { libc::socketpair(domain, r#type | libc::SOCK_CLOEXEC, protocol, ends.as_mut_ptr()) }.into())?;
        Ok(ends)
    }

    fn bind_unix as "bindUnix"(fd: i32, path: Text) -> Outcome {
        let (address, length) = unix_address(path.as_bytes())?;
        bind(fd, &address, length)
    }

    /// A path that starts with NUL is in the abstract namespace. -EINPROGRESS/-EAGAIN on a non-blocking socket.
    fn connect_unix as "connectUnix"(fd: i32, path: Text) -> Outcome {
        let (address, length) = unix_address(path.as_bytes())?;
        connect(fd, &address, length)
    }

    fn bind_vsock as "bindVsock"(fd: i32, cid: u32, port: u32) -> Outcome {
        bind(fd, &vsock_address(cid, port), length_of::<libc::sockaddr_vm>())
    }

    fn connect_vsock as "connectVsock"(fd: i32, cid: u32, port: u32) -> Outcome {
        connect(fd, &vsock_address(cid, port), length_of::<libc::sockaddr_vm>())
    }

    /// IPv4 or IPv6 address in text form.
    fn bind_inet as "bindInet"(fd: i32, address: Text, port: u32) -> Outcome {
        let (address, length) = inet_address(&address, port)?;
        bind(fd, &address, length)
    }

    fn connect_inet as "connectInet"(fd: i32, address: Text, port: u32) -> Outcome {
        let (address, length) = inet_address(&address, port)?;
        connect(fd, &address, length)
    }

    fn bind_netlink as "bindNetlink"(fd: i32, pid: u32, groups: u32) -> Outcome {
        // SAFETY: an all-zero sockaddr_nl is valid.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        address.nl_pid = pid;
        address.nl_groups = groups;
        bind(fd, &address, length_of::<libc::sockaddr_nl>())
    }

    fn listen as "listen"(fd: i32, backlog: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::listen(fd, backlog) }.into())
    }

    /// accept4(2); SOCK_CLOEXEC is always added to `flags`.
    fn accept4 as "accept4"(fd: i32, flags: i32) -> Outcome {
        // SAFETY: no address is asked for.
        retry(|| unsafe {
            libc::accept4(fd, std::ptr::null_mut(), std::ptr::null_mut(), flags | libc::SOCK_CLOEXEC)
        })
    }

    fn shutdown as "shutdown"(fd: i32, how: i32) -> Outcome {
        // SAFETY: takes no pointers.
        result(unsafe { libc::shutdown(fd, how) }.into())
    }

    /// Peer of a connected AF_VSOCK socket.
    fn getpeername_vsock as "getpeernameVsock"(fd: i32) -> Outcome<VsockAddress> {
        vsock_name(fd, libc::getpeername)
    }

    fn getsockname_vsock as "getsocknameVsock"(fd: i32) -> Outcome<VsockAddress> {
        vsock_name(fd, libc::getsockname)
    }

    fn getsockopt_int as "getsockoptInt"(fd: i32, level: i32, name: i32) -> Outcome {
        let mut value: i32 = 0;
        let mut length = length_of::<i32>();
        // SAFETY: the kernel writes at most four bytes.
        result(unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &mut length) }.into())?;
        Ok(value.into())
    }

    fn setsockopt_int as "setsockoptInt"(fd: i32, level: i32, name: i32, value: i32) -> Outcome {
        // SAFETY: the kernel reads four bytes.
        result(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), length_of::<i32>()) }.into())
    }

    /// SO_PEERCRED.
    fn get_peer_cred as "getPeerCred"(fd: i32) -> Outcome<PeerCredentials> {
        let mut seen = libc::ucred { pid: 0, uid: 0, gid: 0 };
        let mut length = length_of::<libc::ucred>();
        // SAFETY: the kernel writes at most a struct ucred.
        result(unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut seen).cast(), &mut length)
        }.into())?;
        Ok(PeerCredentials { pid: seen.pid, uid: seen.uid, gid: seen.gid })
    }

    /// send(2) with `flags` (MSG_NOSIGNAL is always added).
    fn send as "send"(fd: i32, buffer: Buffer, offset: usize, length: usize, flags: i32) -> Outcome {
        let mut buffer = buffer;
        let range = buffer.range(offset, length)?;
        // SAFETY: the kernel reads inside the range.
        retry(|| unsafe { libc::send(fd, range.as_ptr().cast(), range.len(), flags | libc::MSG_NOSIGNAL) } as i64)
    }

    fn recv as "recv"(fd: i32, buffer: Buffer, offset: usize, length: usize, flags: i32) -> Outcome {
        let mut buffer = buffer;
        let range = buffer.range(offset, length)?;
        // SAFETY: the kernel writes inside the range.
        retry(|| unsafe { libc::recv(fd, range.as_mut_ptr().cast(), range.len(), flags) } as i64)
    }
}

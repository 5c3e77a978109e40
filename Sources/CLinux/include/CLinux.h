// What Swift cannot call itself: macros, variadic calls and system calls without a portable import.
#ifndef CLINUX_H
#define CLINUX_H

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "CLinuxFolders.h"

/// The calling thread's errno.
int clinux_errno(void);

/// The C library's text for an errno value; it lives as long as the process.
/// Source: strerrordesc_np(3). Unlike strerror(3) it is safe in threads.
const char *clinux_error_text(int code);

/// Gives the calling thread a name, of the main thread the process's, of 15 bytes at most: PR_SET_NAME(2const).
int clinux_set_name(const char *name);

/// A close-on-exec pipe, whose reading end does not block. Returns -1 with errno set. Source: pipe(2).
int clinux_pipe(int *reading, int *writing);

/// An empty file that lives as long as its descriptors, close-on-exec. Returns -1 with errno set. Source:
/// memfd_create(2).
int clinux_memory_file(const char *name);

/// No program that the calling thread starts, nor a thread that it makes, gets more rights than it has: see
/// PR_SET_NO_NEW_PRIVS in prctl(2). Returns -1 with errno set.
int clinux_renounce_new_rights(void);

/// Accepts a connection as a non-blocking, close-on-exec descriptor. -1 with errno set on failure.
int clinux_accept(int listener);

/// A TCP socket: its address (4 or 16 bytes, network order), who made it, and its inode.
struct clinux_socket {
    uint8_t address[16];
    uint32_t user;
    uint32_t inode;
};

/// Who holds the end of a TCP connection of this host that has these addresses (4 or 16 bytes, network
/// order) as its own and its peer's: an established socket. Returns 0, or -1 with errno set, ENOENT when
/// there is none. Source: sock_diag(7).
int clinux_tcp_holder(int family, const uint8_t *local, uint16_t local_port, const uint8_t *remote,
                      uint16_t remote_port, struct clinux_socket *holder);

/// The sockets of a family that listen on `port` at one of the `wanted` addresses; the first `limit` are
/// put into `found`. Returns how many there are, `limit` + 1 for more, or -1 with errno set: EAGAIN when
/// the kernel's table changes all the time. Source: sock_diag(7), netlink(7).
int clinux_listeners(int family, uint16_t port, const uint8_t (*wanted)[16], size_t wanted_count,
                     struct clinux_socket *found, int limit);

/// The connections of a family whose own port is `port`, and which the peer has not been told the end of: as
/// above. Those that nobody has accepted yet have no inode.
int clinux_connections(int family, uint16_t port, struct clinux_socket *found, int limit);

/// Opens a descriptor that becomes readable when the process `pid` exits; close-on-exec.
/// Returns -1 with errno set. Source: pidfd_open(2).
int clinux_pidfd_open(pid_t pid);

/// A copy of the descriptor `number` of another process, close-on-exec. The caller must be allowed to trace
/// that process. Returns -1 with errno set. Source: pidfd_getfd(2).
int clinux_pidfd_getfd(int pidfd, int number);

/// Who is at the other end of a local socket: who connected, or who listened. Returns -1 with errno set.
/// Source: SO_PEERCRED in unix(7).
int clinux_peer_credentials(int socket, pid_t *pid, uid_t *user);

/// Sends a packet, and with it a descriptor unless `passed` is -1. Returns the count of bytes, or -1 with
/// errno set. Source: SCM_RIGHTS in unix(7).
ssize_t clinux_send_descriptor(int socket, const uint8_t *bytes, size_t count, int passed);

/// Receives a packet, and the descriptor that came with it, close-on-exec; `passed` is -1 for none. What is
/// beyond `count` bytes or beyond one descriptor is an error, EMSGSIZE, and is closed. Returns the count of
/// bytes, 0 at the end, or -1 with errno set.
ssize_t clinux_receive_descriptor(int socket, uint8_t *bytes, size_t count, int *passed);

/// Sends `signal` through a pidfd, so that a reused pid is never hit. Source: pidfd_send_signal(2).
int clinux_pidfd_send_signal(int pidfd, int signal);

/// Makes this process the parent of what loses its own among all that it has started, directly or not.
/// Returns -1 with errno set. Source: PR_SET_CHILD_SUBREAPER(2const).
int clinux_adopt_orphans(void);

/// Whether the folder is a control group (version 2) that its manager has handed over to us: systemd
/// marks it, `Delegate=yes`. Source: "Control Group APIs and Delegation" of systemd.
int clinux_is_delegated_group(const char *folder);

/// Makes everything durable on the file system that holds `fd`. Returns -1 with errno set.
/// Source: syncfs(2).
int clinux_syncfs(int fd);

/// Where a start failed: before the program's folder was entered, at its limits, at its user, at the
/// folder, or at the program itself.
enum {
    CLINUX_STAGE_SETUP = 0,
    CLINUX_STAGE_DIRECTORY = 1,
    CLINUX_STAGE_PROGRAM = 2,
    CLINUX_STAGE_LIMITS = 3,
    CLINUX_STAGE_USER = 4
};

/// How many descriptors can be passed, and below which number each has to be.
enum { CLINUX_MAXIMUM_PASSED = 64, CLINUX_MAXIMUM_TARGET = 256 };

/// A pid in digits with the NUL at the end.
enum { CLINUX_PID_BYTES = 12 };

/// A resource limit. Source: setrlimit(2).
struct clinux_limit {
    /// Otherwise the child has ours.
    int is_set;
    uint64_t soft;
    /// Whether `hard` is to be the hard limit. Otherwise it stays what it is at that moment, and the
    /// soft one is no higher: somebody may have lowered ours (prlimit(1)).
    int sets_hard;
    uint64_t hard;
};

/// A descriptor of ours and the number, from 3 on, that it has in the child.
struct clinux_passed {
    int source;
    int target;
};

/// What clinux_spawn_held starts. All that it refers to stays as it is until that has returned.
struct clinux_program {
    const char *path;
    char *const *argv;
    char *const *envp;
    /// Where in `envp` the child writes its own pid, in digits: room for CLINUX_PID_BYTES; NULL for nowhere.
    char *pid_text;
    /// The working directory, entered with the user's rights.
    const char *directory;
    /// Standard input; -1 for /dev/null.
    int in;
    int out;
    int err;
    /// Whether standard input is a terminal that is to be the session's.
    int takes_terminal;
    const struct clinux_passed *passed;
    size_t passed_count;
    struct clinux_limit descriptor_limit;
    struct clinux_limit core_limit;
    int sets_umask;
    mode_t umask;
    /// Whether it runs with the ids below and no others. Only root can.
    int changes_user;
    uid_t user;
    gid_t group;
    const gid_t *groups;
    size_t group_count;
};

/// Opens a pseudo-terminal: our end, which is non-blocking, and the end of a program; both close-on-exec.
/// Returns -1 with errno set. Source: pty(7), TIOCGPTPEER in ioctl_tty(2).
int clinux_open_terminal(int *ours, int *theirs);

/// Sets how many characters a terminal shows; the program in front learns of it by SIGWINCH. Returns -1
/// with errno set. Source: TIOCSWINSZ(2const).
int clinux_set_terminal_size(int terminal, uint16_t columns, uint16_t rows);

/// Forks a child that leads a session of its own, with default signals, an empty mask, stdin, stdout
/// and stderr, the descriptors passed, and no other one, and holds it there: it becomes the program
/// only after clinux_release_held(), and exits with status 127 when `gate` is closed instead, by
/// whatever ended the caller too. So its identity can be on disk before the program runs.
///
/// Released, it sets its limits and umask, becomes its user, for good, enters its folder, and becomes
/// the program. PR_SET_NO_NEW_PRIVS is left as it is: an application may use sudo, ping or a mailer.
/// Returns 0 and sets `pid` and `gate` (close-on-exec), or an errno value.
int clinux_spawn_held(pid_t *pid, int *gate, const struct clinux_program *program);

/// Lets a held child become its program and waits until it has. Returns 0, or an errno value with
/// `stage` telling what failed; then the child exits at once. `gate` stays open.
int clinux_release_held(int gate, int *stage);

/// How the child behind `pidfd` ended, without blocking; with `reap` it is reaped, without it stays
/// a zombie whose pid cannot be reused. Returns 1, 0 when it still runs, -1 with errno set.
/// `signalled` tells whether `status` is a signal number or an exit status. Source: waitid(2).
int clinux_exit_status(int pidfd, int reap, int *status, int *signalled);

/// Frees `length` bytes of a file from `offset` on; they read as zeros, the size stays as it is.
/// Returns -1 with errno set, EOPNOTSUPP where the file system cannot. Source: fallocate(2) with
/// FALLOC_FL_PUNCH_HOLE.
int clinux_punch_hole(int fd, int64_t offset, int64_t length);

/// Takes the first `length` bytes, whole blocks and fewer than there are, out of a file: what
/// follows moves to the front in one step, also for writers that append meanwhile.
/// Returns -1 with errno set. Source: fallocate(2) with FALLOC_FL_COLLAPSE_RANGE.
int clinux_collapse_head(int fd, int64_t length);

/// Where the first data at or after `offset` begins, past any hole. Returns -1 with errno set,
/// ENXIO when there is none. It moves the descriptor's position. Source: lseek(2) with SEEK_DATA.
int64_t clinux_seek_data(int fd, int64_t offset);

/// This process's argument `index` (0 is its own name), as the kernel gave it to the C library; NULL when
/// there are fewer. It needs no /proc. Source: the program's entry in execve(2).
const char *clinux_argument(int index);

/// Writes `*` over this process's argument `index` (0 is its own name) from byte `from` on, where
/// everybody on the host can read it. Source: proc_pid_cmdline(5).
void clinux_overwrite_argument(int index, size_t from);

/// Makes this process leave no core dump, and lets nobody but root trace it or read its memory and
/// environment in /proc; what it starts is its own. Source: PR_SET_DUMPABLE(2const).
int clinux_refuse_dumps(void);

/// Gives the calling thread, and no other, the rights of a user for what it does to files, without
/// any capability of root for that. With our own user's ids it is undone. Only root can.
/// Returns -1 with errno set; then the thread may have any mixture.
/// Source: setfsuid(2); setgroups(2), whose system call is of one thread.
int clinux_act_as(uid_t user, gid_t group, const gid_t *groups, size_t group_count);

/// Gives the calling thread, or all threads, the ids and groups of a user and no others, for good: it fails
/// with EPERM where root could be had back. Returns -1 with errno set. For one thread it is
/// async-signal-safe: a program that the thread becomes then is the user's, and the other threads are
/// gone. Source: credentials(7), nptl(7).
int clinux_become(uid_t user, gid_t group, const gid_t *groups, size_t group_count, int all_threads);

/// Changes the owner of what has `name` in an opened folder, of a link itself. Source: fchownat(2).
int clinux_change_owner(int folder, const char *name, uid_t user, gid_t group);

#endif

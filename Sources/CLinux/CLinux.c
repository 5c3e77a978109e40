#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <fcntl.h>
#include <stdio.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int clinux_errno(void) { return errno; }

const char *clinux_error_text(int code) {
    const char *text = strerrordesc_np(code);
    return text ? text : "unknown error";
}

int clinux_become_user(uid_t user, gid_t group) {
    // The user last: without root's rights the groups could not be changed any more.
    if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0) return -1;
    return setresuid(user, user, user);
}

int clinux_renounce_new_rights(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int clinux_accept(int listener) {
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int clinux_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int clinux_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int clinux_rename_exchange(const char *first, const char *second) {
    return renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE);
}

int clinux_syncfs(int fd) { return syncfs(fd); }

/// Tells the parent where and why the start failed; it reads that instead of end-of-file.
static void fail(int gate, int stage) {
    int report[2] = {stage, errno};
    (void)!send(gate, report, sizeof report, MSG_NOSIGNAL);
    _exit(127);
}

/// The child's side of clinux_spawn_held. Only async-signal-safe calls: the parent has threads.
static void become(const char *path, char *const argv[], char *const envp[], const char *directory,
                   int in, int out, int err, int gate) {
    // Sources are at 10 and above, so no target overwrites a source that is still needed.
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || dup2(gate, 3) < 0)
        fail(gate, CLINUX_STAGE_SETUP);
    // Closes, among others, the gates of children that are held at the same time: theirs must end
    // with our parent, not with us.
    closefrom(4);
    if (fcntl(3, F_SETFD, FD_CLOEXEC) != 0) fail(3, CLINUX_STAGE_SETUP);
    if (setsid() < 0) fail(3, CLINUX_STAGE_SETUP);
    // The kernel's own call, with its structure all zero: no handler, no flags, an empty mask.
    // The C library's refuses two signals, which posix_spawn(3) leaves ignored in a child.
    // SIGKILL and SIGSTOP cannot be changed and need not be.
    unsigned long action[8] = {0};
    for (int number = 1; number <= 64; number++)
        syscall(SYS_rt_sigaction, number, action, NULL, 8);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    char go;
    ssize_t count;
    do count = read(3, &go, 1);
    while (count < 0 && errno == EINTR);
    // The parent is gone or has changed its mind.
    if (count != 1) _exit(127);
    if (chdir(directory) != 0) fail(3, CLINUX_STAGE_DIRECTORY);
    execve(path, argv, envp);
    fail(3, CLINUX_STAGE_PROGRAM);
}

int clinux_spawn_held(pid_t *pid, int *gate, const char *path, char *const argv[],
                      char *const envp[], const char *directory, int out, int err) {
    int ends[2] = {-1, -1};
    // The child's in, out, err and gate.
    int child[4] = {-1, -1, -1, -1};
    int code = 0;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        code = errno;
    } else {
        int sources[4] = {null, out, err, ends[1]};
        for (int index = 0; index < 4 && code == 0; index++) {
            child[index] = fcntl(sources[index], F_DUPFD_CLOEXEC, 10);
            if (child[index] < 0) code = errno;
        }
    }
    if (code == 0) {
        sigset_t all, before;
        sigfillset(&all);
        // No handler of ours may run in the child.
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pid_t forked = fork();
        if (forked == 0)
            become(path, argv, envp, directory, child[0], child[1], child[2], child[3]);
        if (forked < 0) code = errno;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        *pid = forked;
    }
    if (null >= 0) close(null);
    if (ends[1] >= 0) close(ends[1]);
    for (int index = 0; index < 4; index++)
        if (child[index] >= 0) close(child[index]);
    if (code != 0) {
        if (ends[0] >= 0) close(ends[0]);
        return code;
    }
    *gate = ends[0];
    return 0;
}

int clinux_release_held(int gate, int *stage) {
    char go = 1;
    *stage = CLINUX_STAGE_SETUP;
    // A child that is gone already is told by its exit status.
    if (send(gate, &go, 1, MSG_NOSIGNAL) != 1) return errno == EPIPE ? 0 : errno;
    int report[2];
    ssize_t count;
    do count = recv(gate, report, sizeof report, MSG_WAITALL);
    while (count < 0 && errno == EINTR);
    if (count < 0) return errno == ECONNRESET ? 0 : errno;
    if (count != sizeof report) return 0;
    *stage = report[0];
    return report[1];
}

int clinux_exit_status(int pidfd, int reap, int *status, int *signalled) {
    siginfo_t info = {0};
    int options = WEXITED | WNOHANG | (reap ? 0 : WNOWAIT);
    if (waitid(P_PIDFD, (id_t)pidfd, &info, options) != 0) return -1;
    if (info.si_pid == 0) return 0;
    *signalled = info.si_code != CLD_EXITED;
    *status = info.si_status;
    return 1;
}

int clinux_open(const char *path, int flags, unsigned mode) { return open(path, flags, mode); }

int clinux_punch_hole(int fd, int64_t offset, int64_t length) {
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

int clinux_collapse_head(int fd, int64_t length) {
    return fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, length);
}

int64_t clinux_seek_data(int fd, int64_t offset) { return lseek(fd, offset, SEEK_DATA); }

int clinux_open_at(int folder, const char *name, int flags) {
    return openat(folder, name, flags);
}

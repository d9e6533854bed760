#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Above the descriptors a child keeps, so that moving one to its place never overwrites another.
enum { FIRST_FREE_DESCRIPTOR = 10, REPORT_DESCRIPTOR = 4 };

struct failure {
    int stage;
    int error;
};

// From here to exec only async-signal-safe calls: other threads of the parent may have held any lock at the fork.

__attribute__((noreturn)) static void fail(int report, enum cf_spawn_stage stage, int error) {
    struct failure failure = {stage, error};
    while (write(report, &failure, sizeof failure) < 0 && errno == EINTR) {
    }
    _exit(error == ENOENT ? 127 : 126);
}

static void restore_signals(int report) {
    // Straight to the kernel, whose structure is all zero for the default: glibc refuses its two internal signals,
    // which whoever started us through posix_spawn may have left ignored.
    char action[64];
    memset(action, 0, sizeof action);
    for (int number = 1; number < NSIG; number++) syscall(SYS_rt_sigaction, number, action, NULL, sizeof(uint64_t));
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0) fail(report, CF_SPAWN_STAGE_SIGNALS, errno);
}

static void tie_to_parent(int report, int signal_number, pid_t parent) {
    if (signal_number == 0) return;
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)signal_number, 0, 0, 0) < 0)
        fail(report, CF_SPAWN_STAGE_SIGNALS, errno);
    // A parent that died before the prctl will never send the signal.
    if (getppid() != parent) _exit(128 + SIGKILL);
}

static int lifted(int descriptor, int report) {
    if (descriptor < 0) {
        descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (descriptor < 0) fail(report, CF_SPAWN_STAGE_DESCRIPTORS, errno);
    }
    int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, FIRST_FREE_DESCRIPTOR);
    if (copy < 0) fail(report, CF_SPAWN_STAGE_DESCRIPTORS, errno);
    return copy;
}

static void close_from(unsigned first) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
#endif
    struct rlimit limit;
    unsigned end = 65536;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < end) end = (unsigned)limit.rlim_cur;
    for (unsigned descriptor = first; descriptor < end; descriptor++) close((int)descriptor);
}

// Leaves the child with 0 to 3 and the report pipe, which exec closes. Returns the report pipe's new place.
static int arrange_descriptors(const struct cf_spawn_request *request, int report) {
    report = lifted(report, report);
    int input = lifted(request->input, report);
    int output = lifted(request->output, report);
    int error = lifted(request->error, report);
    int control = request->control < 0 ? -1 : lifted(request->control, report);
    if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(error, 2) < 0)
        fail(report, CF_SPAWN_STAGE_DESCRIPTORS, errno);
    if (control < 0)
        close(3);
    else if (dup2(control, 3) < 0)
        fail(report, CF_SPAWN_STAGE_DESCRIPTORS, errno);
    if (dup3(report, REPORT_DESCRIPTOR, O_CLOEXEC) < 0) fail(report, CF_SPAWN_STAGE_DESCRIPTORS, errno);
    close_from(REPORT_DESCRIPTOR + 1);
    return REPORT_DESCRIPTOR;
}

// The supervisor's own limit before it was raised: what its children get unless they ask for another.
static struct rlimit open_files_found;
static int open_files_raised = 0;

void cf_raise_open_files(void) {
    if (open_files_raised || getrlimit(RLIMIT_NOFILE, &open_files_found) < 0) return;
    struct rlimit raised = {open_files_found.rlim_max, open_files_found.rlim_max};
    open_files_raised = setrlimit(RLIMIT_NOFILE, &raised) == 0;
}

static void limit(int report, int resource, uint64_t value) {
    if (value == 0) return;
    struct rlimit limit = {(rlim_t)value, (rlim_t)value};
    if (setrlimit((__rlimit_resource_t)resource, &limit) < 0) fail(report, CF_SPAWN_STAGE_LIMITS, errno);
}

static void set_oom_score(int report, int score) {
    char digits[8];
    int length = 0;
    unsigned magnitude = score < 0 ? (unsigned)-score : (unsigned)score;
    char *end = digits + sizeof digits;
    char *start = end;
    do {
        *--start = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude != 0 && start > digits + 1);
    if (score < 0) *--start = '-';
    length = (int)(end - start);
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, start, (size_t)length) != length) fail(report, CF_SPAWN_STAGE_OOM_SCORE, errno);
    close(file);
}

// As execvp does: a program found but not permitted is remembered while the search goes on.
static void execute(int report, const struct cf_spawn_request *request) {
    int refused = 0;
    int error = ENOENT;
    for (const char *const *program = request->programs; *program != NULL; program++) {
        execve(*program, request->arguments, request->environment);
        error = errno;
        if (error == EACCES)
            refused = 1;
        else if (error != ENOENT && error != ENOTDIR)
            break;
    }
    if (error == ENOTDIR) error = ENOENT;
    fail(report, CF_SPAWN_STAGE_EXEC, error == ENOENT && refused ? EACCES : error);
}

__attribute__((noreturn)) static void become_child(
    const struct cf_spawn_request *request, int report, pid_t parent) {
    setpgid(0, 0);
    report = arrange_descriptors(request, report);
    if (request->working_directory != NULL && chdir(request->working_directory) < 0)
        fail(report, CF_SPAWN_STAGE_WORKING_DIRECTORY, errno);
    if (request->has_oom_score) set_oom_score(report, request->oom_score);
    if (open_files_raised) setrlimit(RLIMIT_NOFILE, &open_files_found);
    limit(report, RLIMIT_NOFILE, request->open_files);
    limit(report, RLIMIT_DATA, request->memory);
    tie_to_parent(report, request->parent_death_signal, parent);
    restore_signals(report);
    execute(report, request);
    _exit(126);
}

static int open_pidfd(pid_t pid) {
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    return -1;
#endif
}

// Ends when exec closes the pipe's other end (nothing read) or with what went wrong.
static int read_failure(int descriptor, struct failure *failure) {
    size_t filled = 0;
    while (filled < sizeof *failure) {
        ssize_t count = read(descriptor, (char *)failure + filled, sizeof *failure - filled);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        filled += (size_t)count;
    }
    return filled == sizeof *failure;
}

static int parent_failure(struct cf_spawned *result) {
    result->error = errno;
    result->stage = CF_SPAWN_STAGE_PARENT;
    return -1;
}

int cf_spawn(const struct cf_spawn_request *request, struct cf_spawned *result) {
    result->pid = -1;
    result->pidfd = -1;
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) return parent_failure(result);

    // No handler of the parent may run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) become_child(request, report[1], parent);
    int fork_error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        errno = fork_error;
        return parent_failure(result);
    }

    // In both processes, so that neither can act before the group exists.
    setpgid(pid, pid);
    int pidfd = open_pidfd(pid);
    struct failure failure;
    int failed = read_failure(report[0], &failure);
    close(report[0]);
    if (!failed) {
        result->pid = pid;
        result->pidfd = pidfd;
        return 0;
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    if (pidfd >= 0) close(pidfd);
    result->stage = (enum cf_spawn_stage)failure.stage;
    result->error = failure.error;
    return -1;
}

pid_t cf_reap(int *status) {
    for (;;) {
        pid_t pid = waitpid(-1, status, WNOHANG);
        if (pid >= 0 || errno != EINTR) return pid;
    }
}

int cf_pidfd_signal(int pidfd, int signal_number) {
#ifdef SYS_pidfd_send_signal
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
#else
    errno = ENOSYS;
    return -1;
#endif
}

static void supervised_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGQUIT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
}

// What is opened next must not become one of these: log lines would go wherever that leads.
static void fill_standard_descriptors(void) {
    for (int descriptor = 0; descriptor <= 2; descriptor++) {
        if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF) open("/dev/null", O_RDWR);
    }
}

void cf_signals_prepare(void) {
    fill_standard_descriptors();
    sigset_t set;
    supervised_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    // Whoever started us may have ignored some of these: an ignored SIGCHLD would reap behind our back.
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    // A log that may not grow is an error of that write; and nothing here means anything by the others.
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGALRM, SIG_IGN);
}

int cf_signals_open(void) {
    sigset_t set;
    supervised_signals(&set);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int cf_signals_take(const int *numbers, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int index = 0; index < count; index++) sigaddset(&set, numbers[index]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int cf_signals_next(int descriptor) {
    struct signalfd_siginfo info;
    for (;;) {
        ssize_t count = read(descriptor, &info, sizeof info);
        if (count == (ssize_t)sizeof info) return (int)info.ssi_signo;
        if (count < 0 && errno == EINTR) continue;
        return 0;
    }
}

const char *cf_signal_name(int signal_number) {
    return sigabbrev_np(signal_number);
}

int cf_pipe(int ends[2]) {
    return pipe2(ends, O_CLOEXEC);
}

int cf_become_subreaper(void) {
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

// The Swift runtime finds the arguments by the address of the environment, which a preloaded library may have moved.
static char *const *arguments_found = NULL;

__attribute__((constructor)) static void keep_arguments(int count, char **arguments, char **environment) {
    (void)count;
    (void)environment;
    arguments_found = arguments;
}

char *const *cf_arguments(void) {
    return arguments_found;
}

int cf_thread_start(const char *name, size_t stack_bytes, void *(*body)(void *), void *argument) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, body, argument);
    pthread_attr_destroy(&attributes);
    if (error != 0) return error;
    pthread_setname_np(thread, name);
    pthread_detach(thread);
    return 0;
}

/* err.h - an error: a code that says what to do, a message that says what, where and why.
 *
 * Functions that can fail for reasons outside the program return 0 (or a count) and a
 * negative TSL_E... on failure, and take a struct tsl_err * last; NULL is allowed.  The
 * first message wins: what a function adds while it cleans up does not hide the cause.
 * Threads: a struct tsl_err has one owner. */
#ifndef TSL_ERR_H
#define TSL_ERR_H

#include "base/compiler.h"

#define TSL_ERR_CODES(X)                                                                 \
    X(TSL_EIO, -1, "input or output failed")                                             \
    X(TSL_ENOMEM, -2, "out of memory")                                                   \
    X(TSL_EFORMAT, -3, "malformed data")                                                 \
    X(TSL_EUSAGE, -4, "unusable request")                                                \
    X(TSL_EVERIFY, -5, "a check of the result failed")                                   \
    X(TSL_ECANCELLED, -6, "stopped because another part failed")

enum tsl_err_code {
#define X(name, value, text) name = (value),
    TSL_ERR_CODES(X)
#undef X
};

struct tsl_err {
    int code;      /* 0: nothing happened yet */
    char msg[600]; /* one line, no newline at the end */
};

/* Records code and message unless err already holds one; returns code either way. */
int tsl_err_set(struct tsl_err *err, int code, const char *fmt, ...) TSL_PRINTF(3, 4);

/* The same, with ": " and the system's reason for errno value eno at the end. */
int tsl_err_sys(struct tsl_err *err, int eno, const char *fmt, ...) TSL_PRINTF(3, 4);

/* "out of memory: N bytes for WHAT"; returns TSL_ENOMEM. */
int tsl_err_nomem(struct tsl_err *err, unsigned long long bytes, const char *what);

/* Copies from to to unless to already holds one; returns from's code. */
int tsl_err_pass(struct tsl_err *to, const struct tsl_err *from);

#endif

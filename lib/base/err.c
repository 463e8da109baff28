#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int set_v(struct tsl_err *err, int code, int eno, const char *fmt, va_list ap)
{
    if (!err || err->code)
        return code;
    err->code = code;
    int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    if (eno && n >= 0 && (size_t)n < sizeof err->msg) {
        char reason[128];
        /* the GNU strerror_r may return a constant string instead of filling the buffer
         */
        const char *why = strerror_r(eno, reason, sizeof reason);
        snprintf(err->msg + n, sizeof err->msg - (size_t)n, ": %s", why);
    }
    return code;
}

int tsl_err_set(struct tsl_err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_v(err, code, 0, fmt, ap);
    va_end(ap);
    return code;
}

int tsl_err_sys(struct tsl_err *err, int eno, const char *fmt, ...)
{
    int code = eno == ENOMEM ? TSL_ENOMEM : TSL_EIO;
    va_list ap;
    va_start(ap, fmt);
    set_v(err, code, eno, fmt, ap);
    va_end(ap);
    return code;
}

int tsl_err_nomem(struct tsl_err *err, unsigned long long bytes, const char *what)
{
    return tsl_err_set(err, TSL_ENOMEM, "out of memory: %llu bytes for %s", bytes, what);
}

int tsl_err_pass(struct tsl_err *to, const struct tsl_err *from)
{
    if (to && !to->code)
        *to = *from;
    return from->code;
}

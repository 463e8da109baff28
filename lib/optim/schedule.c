#include "optim/schedule.h"

#include <math.h>
#include <string.h>

#include "base/fixmath.h"
#include "base/parse.h"
#include "base/quote.h"

static const char *const names[] = {
#define X(id, name) name,
    TSL_SCHEDULE_KINDS(X)
#undef X
};

enum { NKINDS = sizeof names / sizeof *names, PART_MAX = 80 };

/* ---- from text ---- */

static int wrong(const char *text, const char *part, const char *why, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EUSAGE, "schedule %s: %s: %s", tsl_quote(text).s,
                       tsl_quote(part).s, why);
}

static int read_kind(struct tsl_schedule *s, const char *text, size_t len,
                     struct tsl_err *err)
{
    for (size_t i = 0; i < NKINDS; i++)
        if (strlen(names[i]) == len && !memcmp(names[i], text, len)) {
            s->kind = (enum tsl_schedule_kind)i;
            return 0;
        }
    return tsl_err_set(err, TSL_EUSAGE,
                       "schedule %s: there are constant, linear, cosine, rsqrt, bert and "
                       "piecewise",
                       tsl_quote(text).s);
}

static int read_point(struct tsl_schedule *s, const char *text, char *part, char *value,
                      struct tsl_err *err)
{
    uint64_t step;
    double v;
    if (!tsl_parse_u64(part, &step, NULL))
        return wrong(text, part, "is no step", err);
    if (!tsl_parse_number(value, &v))
        return wrong(text, value, "is no multiplier", err);
    if (s->npoints == TSL_SCHEDULE_POINTS)
        return wrong(text, part, "is one point too many", err);
    if (s->npoints && s->point[s->npoints - 1].step >= step)
        return wrong(text, part, "comes after a step that is no smaller", err);
    s->point[s->npoints].step = step;
    s->point[s->npoints++].value = v;
    return 0;
}

/* warmup_share: of the total, which may be told later; 0: steps were given. */
static int read_setting(struct tsl_schedule *s, const char *text, char *part, char *value,
                        double *warmup_share, struct tsl_err *err)
{
    bool decays = s->kind == TSL_SCHEDULE_LINEAR || s->kind == TSL_SCHEDULE_COSINE;
    bool ends = decays || s->kind == TSL_SCHEDULE_BERT;
    if (!strcmp(part, "warmup")) {
        size_t n = strlen(value);
        bool share = n && value[n - 1] == '%';
        if (share && !ends)
            return wrong(text, value, "there is no total that it could be a share of",
                         err);
        *warmup_share = 0;
        if (share ? !tsl_parse_share(value, warmup_share)
                  : !tsl_parse_u64(value, &s->warmup, NULL))
            return wrong(text, value, "is no number of steps", err);
    } else if (!strcmp(part, "total") && ends) {
        if (!tsl_parse_u64(value, &s->total, NULL) || !s->total)
            return wrong(text, value, "is no number of steps", err);
    } else if (!strcmp(part, "final") && decays) {
        if (!tsl_parse_share(value, &s->final))
            return wrong(text, value, "is not from 0 to 1", err);
    } else {
        return wrong(text, part, "is nothing that this kind has", err);
    }
    return 0;
}

static int check(struct tsl_schedule *s, const char *text, double warmup_share,
                 struct tsl_err *err)
{
    if (s->kind == TSL_SCHEDULE_PIECEWISE && !s->npoints)
        return wrong(text, names[s->kind], "has no point", err);
    if (s->kind != TSL_SCHEDULE_LINEAR && s->kind != TSL_SCHEDULE_COSINE &&
        s->kind != TSL_SCHEDULE_BERT)
        return 0;
    if (!s->total)
        return wrong(text, "total", "is missing", err);
    if (warmup_share > 0)
        s->warmup = (uint64_t)(warmup_share * (double)s->total);
    if (s->warmup > s->total)
        return wrong(text, "warmup", "is longer than the whole", err);
    return 0;
}

int tsl_schedule_parse(struct tsl_schedule *s, const char *text, uint64_t total_steps,
                       struct tsl_err *err)
{
    struct tsl_schedule made = { 0 };
    double warmup_share = 0;
    const char *at = text + strcspn(text, ":");
    int rc = read_kind(&made, text, (size_t)(at - text), err);
    if (made.kind != TSL_SCHEDULE_PIECEWISE)
        made.total = total_steps;
    while (rc == 0 && *at) {
        char part[PART_MAX];
        size_t n = strcspn(++at, ",");
        if (n >= sizeof part)
            return wrong(text, at, "is too long", err);
        memcpy(part, at, n);
        part[n] = 0;
        at += n;
        char *value = strchr(part, '=');
        if (!value)
            return wrong(text, part, "is not of the form NAME=VALUE", err);
        *value++ = 0;
        rc = made.kind == TSL_SCHEDULE_PIECEWISE
                 ? read_point(&made, text, part, value, err)
                 : read_setting(&made, text, part, value, &warmup_share, err);
    }
    if (rc == 0)
        rc = check(&made, text, warmup_share, err);
    if (rc == 0)
        *s = made;
    return rc;
}

/* ---- over time ---- */

static double piecewise(const struct tsl_schedule *s, uint64_t step)
{
    uint64_t from = 0;
    double value = 0;
    for (size_t i = 0; i < s->npoints; i++) {
        uint64_t to = s->point[i].step;
        if (step < to)
            return value + (s->point[i].value - value) * (double)(step - from) /
                               (double)(to - from);
        from = to;
        value = s->point[i].value;
    }
    return value;
}

double tsl_schedule_at(const struct tsl_schedule *s, uint64_t step)
{
    if (s->kind == TSL_SCHEDULE_PIECEWISE)
        return piecewise(s, step);
    if (step < s->warmup)
        return (double)step / (double)s->warmup;
    double left = 0; /* the share of the way from warmup to total that is to come */
    if (step < s->total)
        left = (double)(s->total - step) / (double)(s->total - s->warmup);
    switch (s->kind) {
    case TSL_SCHEDULE_LINEAR: return s->final + (1 - s->final) * left;
    case TSL_SCHEDULE_COSINE:
        return s->final + (1 - s->final) * (0.5 - 0.5 * tsl_fixmath_cospi(left));
    case TSL_SCHEDULE_RSQRT:
        return step ? sqrt((double)(s->warmup ? s->warmup : 1) / (double)step) : 1;
    case TSL_SCHEDULE_BERT:
        return step < s->total ? (double)(s->total - step) / (double)s->total : 0;
    case TSL_SCHEDULE_CONSTANT:
    case TSL_SCHEDULE_PIECEWISE: break;
    }
    return 1;
}

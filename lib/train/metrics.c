#include "train/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/jsonread.h"
#include "base/mem.h"
#include "base/quote.h"
#include "io/outfile.h"

static const char head[] = "{\"step\": ";
enum { BLOCK = 64 << 10, LINE_MAX_BYTES = 1 << 20 };

/* ---- lines of a file ---- */

struct lines {
    struct tsl_file file;
    char *text; /* [from, to) is not handed out yet */
    size_t from, to, cap;
    uint64_t number; /* of the line handed out last, from 1 */
};

/* The next line that is whole, without its newline but with a NUL in its place: 1, or 0 at the
 * end.  Lent until the next call. */
static int next_line(struct lines *l, struct tsl_slice *line, struct tsl_err *err)
{
    for (;;) {
        char *from = l->text ? l->text + l->from : NULL;
        char *end = from ? memchr(from, '\n', l->to - l->from) : NULL;
        if (end) {
            *line = (struct tsl_slice){ (const uint8_t *)from, (size_t)(end - from) };
            *end = '\0';
            l->from += line->len + 1;
            l->number++;
            return 1;
        }
        if (l->to - l->from > LINE_MAX_BYTES)
            return tsl_err_set(err, TSL_EFORMAT, "%s: line %" PRIu64 ": too long",
                               l->file.name, l->number + 1);
        if (l->from) {
            memmove(l->text, from, l->to - l->from);
            l->to -= l->from;
            l->from = 0;
        }
        int rc =
            tsl_mem_grow(&l->text, &l->cap, l->to + BLOCK, 1, "lines of metrics", err);
        if (rc < 0)
            return rc;
        int64_t n = tsl_file_read(&l->file, l->text + l->to, BLOCK, err);
        if (n <= 0)
            return (int)n;
        l->to += (size_t)n;
    }
}

static void lines_close(struct lines *l)
{
    tsl_file_close(&l->file, NULL);
    tsl_mem_free(l->text);
}

static int no_line(const struct lines *l, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: line %" PRIu64 ": not a step's metrics",
                       l->file.name, l->number);
}

/* The step that a line begins with; false: with none. */
static bool step_of(const char *line, uint64_t *step)
{
    const char *p = line + sizeof head - 1;
    if (strncmp(line, head, sizeof head - 1) != 0 || *p < '0' || *p > '9')
        return false;
    for (*step = 0; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(*step, (uint64_t)10, step) ||
            __builtin_add_overflow(*step, (uint64_t)(*p - '0'), step))
            return false;
    return (*p == ',' || *p == '}') && *step <= INT64_MAX; /* as JSON has them */
}

/* ---- writing ---- */

static int copy_lines(struct tsl_file *to, const char *path, uint64_t step,
                      struct tsl_err *err)
{
    struct lines l = { .file = TSL_FILE_INIT };
    struct tsl_slice line;
    uint64_t at;
    int rc = tsl_file_open(&l.file, path, err);
    while (rc == 0 && (rc = next_line(&l, &line, err)) == 1) {
        rc = 0;
        if (!step_of((const char *)line.data, &at))
            rc = no_line(&l, err);
        else if (at <= step) {
            l.text[l.from - 1] = '\n';
            rc = tsl_file_write(to, line.data, line.len + 1, err);
        }
    }
    lines_close(&l);
    return rc;
}

int tsl_metrics_open(struct tsl_metrics *m, const char *path, bool resume, uint64_t step,
                     struct tsl_err *err)
{
    struct tsl_outfile o;
    m->file = (struct tsl_file)TSL_FILE_INIT;
    int rc = tsl_outfile_open(&o, path, false, err);
    if (rc < 0)
        return rc;
    o.file.nodrop = true;
    if (resume && tsl_file_exists(path))
        rc = copy_lines(&o.file, path, step, err);
    if (rc == 0)
        rc = tsl_outfile_done(&o, err);
    if (rc == 0)
        rc = tsl_outfile_commit(&o, err);
    tsl_outfile_close(&o);
    return rc < 0 ? rc : tsl_file_append(&m->file, path, err);
}

/* A line: tsl_json's without its newlines between members. */
static int line_of(struct tsl_json *j, uint64_t step, const struct tsl_metric *values,
                   size_t n, struct tsl_err *err)
{
    char s[TSL_JSON_NUMBER];
    tsl_json_open(j, NULL, '{');
    tsl_json_u64(j, "step", step);
    for (size_t i = 0; i < n; i++) {
        const char *text = tsl_json_shortest(s, values[i].value);
        tsl_json_raw(j, values[i].name,
                     (struct tsl_slice){ (const uint8_t *)text, strlen(text) });
    }
    tsl_json_close(j, '}');
    int rc = tsl_json_end(j, err);
    if (rc < 0)
        return rc;
    size_t to = 0; /* names have no newlines: those are escaped */
    for (size_t i = 0; i < j->len; i++)
        if (j->text[i] != '\n' || i + 1 == j->len)
            j->text[to++] = j->text[i];
        else if (j->text[i - 1] == ',')
            j->text[to++] = ' ';
    j->len = to;
    return 0;
}

int tsl_metrics_put(struct tsl_metrics *m, uint64_t step, const struct tsl_metric *values,
                    size_t n, struct tsl_err *err)
{
    struct tsl_json j = { 0 };
    int rc = line_of(&j, step, values, n, err);
    if (rc == 0)
        rc = tsl_file_write(&m->file, j.text, j.len, err);
    tsl_json_fini(&j);
    return rc;
}

int tsl_metrics_sync(const struct tsl_metrics *m, struct tsl_err *err)
{
    return tsl_file_sync(&m->file, err);
}

int tsl_metrics_close(struct tsl_metrics *m, struct tsl_err *err)
{
    return tsl_file_close(&m->file, err);
}

/* ---- reading ---- */

static struct tsl_metrics_series *series_of(struct tsl_metrics_table *t, const char *name,
                                            struct tsl_err *err)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->series[i].name, name) == 0)
            return &t->series[i];
    if (tsl_mem_grow(&t->series, &t->cap, t->n + 1, sizeof *t->series, "metrics", err) <
        0)
        return NULL;
    t->series[t->n] = (struct tsl_metrics_series){ .name = tsl_mem_strdup(name, err) };
    return t->series[t->n].name ? &t->series[t->n++] : NULL;
}

static int add_value(struct tsl_metrics_table *t, const char *name, uint64_t step,
                     double value, struct tsl_err *err)
{
    struct tsl_metrics_series *s = series_of(t, name, err);
    if (!s ||
        tsl_mem_grow(&s->step, &s->cap_step, s->n + 1, sizeof *s->step, "metrics", err) <
            0 ||
        tsl_mem_grow(&s->value, &s->cap_value, s->n + 1, sizeof *s->value, "metrics",
                     err) < 0)
        return TSL_ENOMEM;
    s->step[s->n] = step;
    s->value[s->n++] = value;
    return 0;
}

static int read_line(struct tsl_metrics_table *t, const struct lines *l,
                     struct tsl_slice line, struct tsl_err *err)
{
    struct tsl_jsonread *doc;
    struct tsl_jsonread_member m = { 0 };
    uint64_t step;
    if (!step_of((const char *)line.data, &step))
        return no_line(l, err);
    char name[300];
    snprintf(name, sizeof name, "%.250s: line %" PRIu64, l->file.name, l->number);
    int rc = tsl_jsonread_parse(&doc, line, name, err);
    if (rc < 0)
        return rc;
    while (rc == 0 && tsl_jsonread_next(tsl_jsonread_root(doc), &m)) {
        double value = NAN;
        enum tsl_jsonread_kind kind = tsl_jsonread_kind(m.value);
        if (strcmp((const char *)m.key.data, "step") == 0 ||
            (!tsl_jsonread_num(m.value, &value) && kind != TSL_JSON_NULL))
            continue; /* others may note what they like */
        rc = add_value(t, (const char *)m.key.data, step, value, err);
    }
    tsl_jsonread_destroy(doc);
    return rc;
}

int tsl_metrics_read(struct tsl_metrics_table *t, const char *path, struct tsl_err *err)
{
    struct lines l = { .file = TSL_FILE_INIT };
    struct tsl_slice line;
    *t = (struct tsl_metrics_table){ 0 };
    int rc = tsl_file_open(&l.file, path, err);
    while (rc == 0 && (rc = next_line(&l, &line, err)) == 1)
        rc = read_line(t, &l, line, err);
    lines_close(&l);
    if (rc < 0)
        tsl_metrics_table_fini(t);
    return rc;
}

const struct tsl_metrics_series *tsl_metrics_find(const struct tsl_metrics_table *t,
                                                  const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->series[i].name, name) == 0)
            return &t->series[i];
    return NULL;
}

void tsl_metrics_table_fini(struct tsl_metrics_table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        tsl_mem_free(t->series[i].name);
        tsl_mem_free(t->series[i].step);
        tsl_mem_free(t->series[i].value);
    }
    tsl_mem_free(t->series);
    *t = (struct tsl_metrics_table){ 0 };
}

#include "train/trainfields.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/quote.h"
#include "base/widen.h"
#include "record/value.h"

static bool whole(enum tsl_dtype t)
{
    return t <= TSL_I64 || t == TSL_BIT;
}

static const char *const names[] = {
#define X(id, list) list,
    TSL_TRAINFIELDS(X)
#undef X
};

static int column_of(const struct tsl_schema *s, const char *list)
{
    for (; *list; list += strlen(list) + 1)
        if (tsl_schema_find(s, list) >= 0)
            return tsl_schema_find(s, list);
    return -1;
}

static void take(struct tsl_trainfields *f, const struct tsl_schema *s, int field, int c)
{
    f->column[field] = c;
    f->type[field] = c < 0 ? TSL_U32 : s->columns[c].type;
    f->count[field] = c < 0 ? 0 : s->columns[c].count;
}

static int refuse(const struct tsl_schema *s, const char *name, const char *what,
                  struct tsl_err *err)
{
    char all[300] = "";
    size_t n = 0;
    for (size_t i = 0; i < s->ncolumns && n + 70 < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "",
                              tsl_quote(s->columns[i].name).s);
    return tsl_err_set(err, TSL_EFORMAT, "%s: %s; its columns are %s", tsl_quote(name).s,
                       what, all[0] ? all : "none");
}

static int check(const struct tsl_trainfields *f, const struct tsl_schema *s,
                 const char *name, struct tsl_err *err)
{
    const int *c = f->column;
    for (int i = 0; i < TSL_NTRAINFIELDS; i++) {
        bool floats =
            i == TSL_FIELD_WEIGHTS && (f->type[i] == TSL_F32 || f->type[i] == TSL_F64);
        if (c[i] >= 0 && !whole(f->type[i]) && !floats)
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: column %s holds %s, where whole numbers are meant",
                               tsl_quote(name).s, tsl_quote(s->columns[c[i]].name).s,
                               tsl_dtype_name(f->type[i]));
    }
    if ((c[TSL_FIELD_PLACES] < 0) != (c[TSL_FIELD_TARGETS] < 0))
        return refuse(s, name,
                      "masked places and what stood there come together, but only one "
                      "of them is there",
                      err);
    if (c[TSL_FIELD_KIND] >= 0 && c[TSL_FIELD_PREFIX] < 0)
        return refuse(s, name, "it has kinds of samples, but no prefixes", err);
    return 0;
}

int tsl_trainfields_find(struct tsl_trainfields *f, const struct tsl_schema *s,
                         const char *name, struct tsl_err *err)
{
    bool more = false;
    *f = (struct tsl_trainfields){ .ids_only = false };
    for (int i = 0; i < TSL_NTRAINFIELDS; i++)
        take(f, s, i, column_of(s, names[i]));
    int *c = f->column;
    if (c[TSL_FIELD_IDS] < 0 && s->ncolumns == 1 && whole(s->columns[0].type))
        take(f, s, TSL_FIELD_IDS, 0);
    if (c[TSL_FIELD_IDS] < 0)
        return refuse(s, name, "it has no token ids (input_ids, ids or tokens)", err);
    if (c[TSL_FIELD_TARGETS] >= 0 && c[TSL_FIELD_PLACES] < 0 && c[TSL_FIELD_OUTS] < 0) {
        take(f, s, TSL_FIELD_OUTS, c[TSL_FIELD_TARGETS]);
        take(f, s, TSL_FIELD_TARGETS, -1);
    }
    for (int i = 0; i < TSL_NTRAINFIELDS; i++)
        more |= c[i] >= 0 && i != TSL_FIELD_IDS && i != TSL_FIELD_STARTS;
    f->ids_only = !more;
    f->masked =
        c[TSL_FIELD_PLACES] >= 0 || c[TSL_FIELD_LABELS] >= 0 || c[TSL_FIELD_OUTS] >= 0;
    return check(f, s, name, err);
}

void tsl_trainfields_tell(const struct tsl_trainfields *f, const struct tsl_schema *s,
                          char *to, size_t cap)
{
    size_t n = 0;
    to[0] = 0;
    for (int i = 0; i < TSL_NTRAINFIELDS; i++) {
        if (f->column[i] < 0)
            continue;
        const char *name = s->columns[f->column[i]].name;
        if (n + strlen(name) + 3 > cap)
            return;
        n += (size_t)snprintf(to + n, cap - n, "%s%s", n ? ", " : "", name);
    }
}

/* ---- a record ---- */

bool tsl_trainfields_ids(uint32_t *to, enum tsl_dtype t, const struct tsl_value *v,
                         uint32_t at, uint32_t n)
{
    const uint8_t *p = v->data;
    uint64_t all = 0; /* a bit that no number in range has shows in it */
    if (n == 0)
        return true;
    if (t == TSL_U16) {
        tsl_widen(to, p + 2 * (size_t)at, n);
    } else if (t == TSL_U32) {
        memcpy(to, p + 4 * (size_t)at, 4 * (size_t)n);
    } else {
        for (uint32_t i = 0; i < n; i++) {
            uint64_t x = (uint64_t)tsl_value_whole(t, v, at + i);
            to[i] = (uint32_t)x;
            all |= x;
        }
    }
    return all <= UINT32_MAX;
}

static int bad(const char *what, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s", what);
}

static int out_of_range(const char *what, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: a number is not in [0, 2^32)", what);
}

static const struct tsl_value *value(const struct tsl_trainfields *f,
                                     const struct tsl_record *rec, int field)
{
    return f->column[field] < 0 ? NULL : &rec->values[f->column[field]];
}

static int one(const struct tsl_trainfields *f, const struct tsl_record *rec, int field,
               int64_t *out, struct tsl_err *err)
{
    const struct tsl_value *v = value(f, rec, field);
    if (!v)
        return 0;
    if (v->n != 1)
        return tsl_err_set(err, TSL_EFORMAT, "%s: %" PRIu32 " values instead of one",
                           names[field], v->n);
    *out = tsl_value_whole(f->type[field], v, 0);
    return 0;
}

/* How many tokens are no padding: those in front that the mask has 1 for. */
static int length_of(const struct tsl_trainfields *f, const struct tsl_record *rec,
                     uint32_t *n, struct tsl_err *err)
{
    const struct tsl_value *mask = value(f, rec, TSL_FIELD_MASK);
    *n = value(f, rec, TSL_FIELD_IDS)->n;
    if (mask) {
        uint32_t i = 0, all = *n;
        if (mask->n != all)
            return bad("its mask of padding has not as many values as it has tokens",
                       err);
        while (i < all && tsl_value_whole(f->type[TSL_FIELD_MASK], mask, i) == 1)
            i++;
        *n = i;
        for (; i < all; i++)
            if (tsl_value_whole(f->type[TSL_FIELD_MASK], mask, i) != 0)
                return bad("its padding does not stand behind all tokens", err);
    }
    return *n <= TSL_SAMPLE_TOKENS_MAX
               ? 0
               : bad("it has more tokens than a sample can have", err);
}

/* Room for what the record's lists may hold. */
static int make_room(const struct tsl_trainfields *f, const struct tsl_record *rec,
                     uint32_t n, struct tsl_sample *s, struct tsl_err *err)
{
    static const int lists[] = { TSL_FIELD_PLACES, TSL_FIELD_OUTS };
    uint32_t most = n;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const struct tsl_value *v = value(f, rec, lists[i]);
        if (v && v->n > TSL_SAMPLE_TOKENS_MAX)
            return bad("it has more targets than a sample can have", err);
        most = v && v->n > most ? v->n : most;
    }
    if (most + 8 <= s->cap)
        return 0;
    tsl_sample_fini(s);
    return tsl_sample_init(s, most + most / 2 + 8, err);
}

static int read_segments(const struct tsl_trainfields *f, const struct tsl_record *rec,
                         struct tsl_sample *s, struct tsl_err *err)
{
    const struct tsl_value *v = value(f, rec, TSL_FIELD_SEGMENTS);
    enum tsl_dtype t = f->type[TSL_FIELD_SEGMENTS];
    int64_t first = s->n;
    int rc = one(f, rec, TSL_FIELD_FIRST, &first, err);
    if (rc < 0)
        return rc;
    if (first < 0 || first > s->n)
        return bad("its first segment is longer than the sample", err);
    s->first = (uint32_t)first;
    if (!v || f->column[TSL_FIELD_FIRST] >= 0)
        return 0;
    if (v->n < s->n)
        return bad("it has not as many segment ids as tokens", err);
    uint32_t i = 0;
    while (i < s->n && tsl_value_whole(t, v, i) == 0)
        i++;
    s->first = i;
    for (; i < s->n; i++)
        if (tsl_value_whole(t, v, i) != 1)
            return bad("its segment ids are not 0 and then 1", err);
    return 0;
}

static int read_starts(const struct tsl_trainfields *f, const struct tsl_record *rec,
                       struct tsl_sample *s, struct tsl_err *err)
{
    const struct tsl_value *v = value(f, rec, TSL_FIELD_STARTS);
    enum tsl_dtype t = f->type[TSL_FIELD_STARTS];
    if (!v) {
        memset(s->starts, 1, s->n);
        return 0;
    }
    if (v->n < s->n)
        return bad("it has not as many word starts as tokens", err);
    if (t == TSL_BIT)
        memcpy(s->starts, v->data, s->n);
    for (uint32_t i = 0; i < s->n && t != TSL_BIT; i++)
        s->starts[i] = tsl_value_whole(t, v, i) != 0;
    return 0;
}

static int read_ends(const struct tsl_trainfields *f, const struct tsl_record *rec,
                     struct tsl_sample *s, struct tsl_err *err)
{
    const struct tsl_value *v = value(f, rec, TSL_FIELD_ENDS);
    if (!v)
        return 0;
    if (v->n > s->n)
        return bad("it has more pieces than tokens", err);
    if (!tsl_trainfields_ids(s->ends, f->type[TSL_FIELD_ENDS], v, 0, v->n))
        return out_of_range("ends", err);
    s->nends = v->n;
    for (uint32_t i = 0, before = 0; i < v->n; before = s->ends[i++])
        if (s->ends[i] < before || s->ends[i] > s->n)
            return bad("its pieces do not lie one behind the other", err);
    return 0;
}

static int read_sight(const struct tsl_trainfields *f, const struct tsl_record *rec,
                      struct tsl_sample *s, struct tsl_err *err)
{
    const struct tsl_value *v = value(f, rec, TSL_FIELD_POSITIONS);
    int64_t kind = TSL_SAMPLE_BOTH_WAYS, prefix = 0;
    int rc = one(f, rec, TSL_FIELD_KIND, &kind, err);
    if (rc == 0)
        rc = one(f, rec, TSL_FIELD_PREFIX, &prefix, err);
    if (rc < 0)
        return rc;
    if (kind < 0 || kind > TSL_SAMPLE_PREFIX || prefix < 0 || prefix > s->n)
        return bad("its kind or prefix is none that there is", err);
    s->kind = (uint8_t)kind;
    s->prefix = (uint32_t)prefix;
    if (!v)
        return 0;
    if (v->n < s->n)
        return bad("it has not as many positions as tokens", err);
    s->has_positions = true;
    if (!tsl_trainfields_ids(s->positions, f->type[TSL_FIELD_POSITIONS], v, 0, s->n))
        return out_of_range("positions", err);
    for (uint32_t i = 0; i < s->n; i++)
        if (s->positions[i] >= TSL_SAMPLE_TOKENS_MAX)
            return bad("a position is larger than a sample can be", err);
    return 0;
}

static bool weighs(enum tsl_dtype t, const struct tsl_value *v, uint32_t i)
{
    if (t == TSL_F32 || t == TSL_F64)
        return tsl_value_real(t, v, i) > 0;
    return tsl_value_whole(t, v, i) > 0;
}

static int read_places(const struct tsl_trainfields *f, const struct tsl_record *rec,
                       struct tsl_sample *s, struct tsl_err *err)
{
    const struct tsl_value *places = value(f, rec, TSL_FIELD_PLACES),
                           *targets = value(f, rec, TSL_FIELD_TARGETS),
                           *weights = value(f, rec, TSL_FIELD_WEIGHTS);
    if (!places)
        return 0;
    uint32_t n = places->n;
    if (targets->n != n || (weights && weights->n != n))
        return bad("it has not as many masked places as targets", err);
    while (weights && n && !weighs(f->type[TSL_FIELD_WEIGHTS], weights, n - 1))
        n--;
    for (uint32_t i = 0; weights && i < n; i++)
        if (!weighs(f->type[TSL_FIELD_WEIGHTS], weights, i))
            return bad("a weight of 0 stands before one that is not", err);
    if (!tsl_trainfields_ids(s->places, f->type[TSL_FIELD_PLACES], places, 0, n))
        return out_of_range("masked places", err);
    if (!tsl_trainfields_ids(s->targets, f->type[TSL_FIELD_TARGETS], targets, 0, n))
        return out_of_range("masked ids", err);
    s->nmasked = n;
    return 0;
}

/* Hugging Face's labels: of every token what is to be predicted, or -100. */
static int read_labels(const struct tsl_trainfields *f, const struct tsl_record *rec,
                       struct tsl_sample *s, struct tsl_err *err)
{
    const struct tsl_value *v = value(f, rec, TSL_FIELD_LABELS);
    if (!v || f->column[TSL_FIELD_PLACES] >= 0)
        return 0;
    if (v->n < s->n)
        return bad("it has not as many labels as tokens", err);
    for (uint32_t i = 0; i < s->n; i++) {
        int64_t id = tsl_value_whole(f->type[TSL_FIELD_LABELS], v, i);
        if (id == -100)
            continue;
        if (id < 0 || id > UINT32_MAX)
            return out_of_range("labels", err);
        s->places[s->nmasked] = i;
        s->targets[s->nmasked++] = (uint32_t)id;
    }
    return 0;
}

static int read_outs(const struct tsl_trainfields *f, const struct tsl_record *rec,
                     struct tsl_sample *s, struct tsl_err *err)
{
    const struct tsl_value *v = value(f, rec, TSL_FIELD_OUTS);
    if (!v)
        return 0;
    s->nouts = v->n;
    return tsl_trainfields_ids(s->outs, f->type[TSL_FIELD_OUTS], v, 0, v->n)
               ? 0
               : out_of_range("the decoder's ids", err);
}

int tsl_trainfields_read(const struct tsl_trainfields *f, const struct tsl_record *rec,
                         struct tsl_sample *s, struct tsl_err *err)
{
    uint32_t n;
    int64_t label = TSL_SAMPLE_NO_LABEL, key = (int64_t)rec->number;
    int rc = length_of(f, rec, &n, err);
    if (rc == 0)
        rc = make_room(f, rec, n, s, err);
    if (rc == 0)
        rc = one(f, rec, TSL_FIELD_KEY, &key, err);
    if (rc == 0)
        rc = one(f, rec, TSL_FIELD_LABEL, &label, err);
    if (rc < 0)
        return rc;
    if (label < 0 || label > TSL_SAMPLE_NO_LABEL)
        return bad("its label is none that there is", err);
    tsl_sample_clear(s, (uint64_t)key);
    s->n = n;
    s->label = (uint8_t)label;
    if (!tsl_trainfields_ids(s->ids, f->type[TSL_FIELD_IDS], value(f, rec, TSL_FIELD_IDS),
                             0, n))
        return out_of_range("token ids", err);
    rc = read_segments(f, rec, s, err);
    if (rc == 0)
        rc = read_starts(f, rec, s, err);
    if (rc == 0)
        rc = read_ends(f, rec, s, err);
    if (rc == 0)
        rc = read_sight(f, rec, s, err);
    if (rc == 0)
        rc = read_places(f, rec, s, err);
    if (rc == 0)
        rc = read_labels(f, rec, s, err);
    return rc < 0 ? rc : read_outs(f, rec, s, err);
}

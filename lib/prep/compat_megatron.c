#include "prep/compat_megatron.h"

#include <inttypes.h>
#include <math.h>

#include "base/mem.h"
#include "prep/mt19937.h"

enum { LONG_SENTENCE = 512 };

struct rows {
    struct tsl_compat_megatron_row *a;
    size_t n, cap;
};

static uint32_t draw_target(struct tsl_mt19937 *g, uint32_t ratio, uint32_t length)
{
    if (!ratio)
        return length;
    uint32_t r = tsl_mt19937_next(g);
    return r % ratio ? length : 2 + r % (length - 1);
}

static bool any_long(const uint32_t *sizes, uint64_t first, uint64_t last)
{
    if (last - first < 2)
        return false;
    for (; first < last; first++)
        if (sizes[first] > LONG_SENTENCE)
            return true;
    return false;
}

static int map_document(const uint32_t *sizes, uint64_t first, uint64_t last,
                        const struct tsl_compat_megatron_opts *o, uint32_t ratio,
                        struct tsl_mt19937 *g, struct rows *rows, struct tsl_err *err)
{
    uint64_t begin = first, len = 0, n = 0;
    uint32_t target = draw_target(g, ratio, o->length);
    for (uint64_t s = first; s < last; s++) {
        uint64_t left = last - s - 1;
        len += sizes[s];
        n++;
        if (left && !(len >= target && left > 1 && n >= o->sents_min))
            continue;
        if (tsl_mem_grow(&rows->a, &rows->cap, rows->n + 1, sizeof *rows->a,
                         "the map of samples", err) < 0)
            return TSL_ENOMEM;
        rows->a[rows->n++] = (struct tsl_compat_megatron_row){ begin, s + 1, target };
        begin = s + 1;
        target = draw_target(g, ratio, o->length);
        len = n = 0;
    }
    return 0;
}

/* std::mt19937_64, which shuffles the map alone. */
enum { N64 = 312, M64 = 156 };

struct mt64 {
    uint64_t key[N64];
    unsigned at;
};

static void seed64(struct mt64 *g, uint64_t seed)
{
    g->key[0] = seed;
    for (unsigned i = 1; i < N64; i++)
        g->key[i] =
            UINT64_C(6364136223846793005) * (g->key[i - 1] ^ g->key[i - 1] >> 62) + i;
    g->at = N64;
}

static uint64_t next64(struct mt64 *g)
{
    if (g->at == N64) {
        for (unsigned i = 0; i < N64; i++) {
            uint64_t x = (g->key[i] & ~UINT64_C(0x7fffffff)) |
                         (g->key[(i + 1) % N64] & UINT64_C(0x7fffffff));
            g->key[i] = g->key[(i + M64) % N64] ^ x >> 1 ^
                        (-(x & 1) & UINT64_C(0xb5026f5aa96619e9));
        }
        g->at = 0;
    }
    uint64_t x = g->key[g->at++];
    x ^= x >> 29 & UINT64_C(0x5555555555555555);
    x ^= x << 17 & UINT64_C(0x71d67fffeda60000);
    x ^= x << 37 & UINT64_C(0xfff7eee000000000);
    return x ^ x >> 43;
}

static void shuffle(struct rows *rows, uint64_t seed)
{
    struct mt64 g;
    seed64(&g, seed);
    for (uint64_t i = rows->n; i > 1; i--) {
        uint64_t j = next64(&g) % i;
        struct tsl_compat_megatron_row t = rows->a[i - 1];
        rows->a[i - 1] = rows->a[j];
        rows->a[j] = t;
    }
}

int tsl_compat_megatron_mapping(const uint64_t *docs, uint64_t ndocs,
                                const uint32_t *sizes,
                                const struct tsl_compat_megatron_opts *o,
                                struct tsl_compat_megatron_row **out, uint64_t *nrows,
                                struct tsl_err *err)
{
    struct tsl_mt19937 g;
    struct rows rows = { 0 };
    if (o->length < 2 || !(o->short_rate >= 0 && o->short_rate <= 1))
        return tsl_err_set(err, TSL_EUSAGE,
                           "a length of %" PRIu32
                           " and a rate of %g: 2 or more, and 0 to "
                           "1, are wanted",
                           o->length, o->short_rate);
    double per = o->short_rate > 0 ? round(1 / o->short_rate) : 0;
    uint32_t ratio = per < INT32_MAX ? (uint32_t)per : INT32_MAX;
    tsl_mt19937_seed_word(&g, o->seed);
    int rc = 0;
    for (uint32_t e = 0; e < o->epochs && rows.n < o->samples_max; e++) {
        for (uint64_t d = 0; d < ndocs && rc == 0; d++) {
            uint64_t first = docs[d], last = docs[d + 1];
            if (first < last && last - first >= o->sents_min &&
                !any_long(sizes, first, last))
                rc = map_document(sizes, first, last, o, ratio, &g, &rows, err);
        }
    }
    if (rc < 0) {
        tsl_mem_free(rows.a);
        return rc;
    }
    shuffle(&rows, (uint64_t)o->seed + 1);
    *out = rows.a;
    *nrows = rows.n;
    return 0;
}

int tsl_compat_megatron_sample_idx(const uint32_t *sizes, const uint32_t *document_idx,
                                   uint64_t n, uint32_t length, uint32_t extra,
                                   uint64_t **pairs, uint64_t *nsamples,
                                   struct tsl_err *err)
{
    uint64_t tokens = 0;
    if (!length)
        return tsl_err_set(err, TSL_EUSAGE, "samples of 0 tokens");
    for (uint64_t i = 0; i < n; i++)
        tokens += sizes[document_idx[i]];
    *nsamples = tokens > extra ? (tokens - extra) / length : 0;
    uint64_t *p = tsl_mem_alloc((size_t)*nsamples + 1, 2 * sizeof *p, "samples", err);
    if (!p)
        return TSL_ENOMEM;
    uint64_t doc = 0, at = 0;
    for (uint64_t s = 1; s <= *nsamples; s++) {
        uint64_t left = (uint64_t)length + extra;
        while (left) {
            uint64_t here = sizes[document_idx[doc]] - at;
            if (here >= left) {
                at += left - extra;
                left = 0;
            } else {
                left -= here;
                doc++;
                at = 0;
            }
        }
        p[2 * s] = doc;
        p[2 * s + 1] = at;
    }
    *pairs = p;
    return 0;
}

void tsl_compat_megatron_blend(const double *weights, uint32_t nsets, uint64_t size,
                               uint16_t *sets, uint64_t *numbers, uint64_t *taken)
{
    for (uint32_t k = 0; k < nsets; k++)
        taken[k] = 0;
    for (uint64_t i = 0; i < size; i++) {
        double due = i ? (double)i : 1, most = 0;
        uint32_t best = 0;
        for (uint32_t k = 0; k < nsets; k++) {
            double lag = weights[k] * due - (double)taken[k];
            if (k == 0 || lag > most) {
                most = lag;
                best = k;
            }
        }
        sets[i] = (uint16_t)best;
        numbers[i] = taken[best]++;
    }
}

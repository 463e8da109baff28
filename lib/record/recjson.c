#include "record/recjson.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/json.h"
#include "base/quote.h"

#if defined __x86_64__
#include <immintrin.h>
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt")))
#endif

/* ---- numbers ---- */

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static inline char *put_u64(char *p, uint64_t v)
{
    char digits[20];
    unsigned at = sizeof digits;
    for (; v >= 100; v /= 100)
        memcpy(digits + (at -= 2), pairs + 2 * (v % 100), 2);
    if (v >= 10)
        memcpy(digits + (at -= 2), pairs + 2 * v, 2);
    else
        digits[--at] = (char)('0' + v);
    memcpy(p, digits + at, sizeof digits - at);
    return p + (sizeof digits - at);
}

static char *put_i64(char *p, int64_t v)
{
    if (v < 0)
        *p++ = '-';
    return put_u64(p, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

/* The digits of each number of 16 bits and a comma, in 7 bytes, and how many in the last one: so
 * that a token costs a load and a store.  512 KiB; the ids that texts consist of stay in the
 * cache. */
static uint64_t words[1 << 16];
static atomic_bool words_made;

/* Two threads that make it at once write the same. */
static void make_words(void)
{
    for (uint32_t v = 0; v < 1 << 16; v++) {
        char text[8] = { 0 };
        char *end = put_u64(text, v);
        *end++ = ',';
        text[7] = (char)(end - text);
        uint64_t word;
        memcpy(&word, text, 8);
        __atomic_store_n(&words[v], word, __ATOMIC_RELAXED);
    }
    atomic_store(&words_made, true);
}

/* Each number takes 8 bytes for a moment: TSL_RECJSON_NUMBER is more. */
static inline char *put_word(char *p, uint16_t v)
{
    uint64_t word = __atomic_load_n(&words[v], __ATOMIC_RELAXED);
    memcpy(p, &word, 8);
    return p + ((uint8_t *)&word)[7];
}

#ifdef AVX512
/* The first n / 8 * 8 of them: eight words at a time, without the bytes that are none. */
AVX512 static char *put_eights(char *p, const uint8_t *v, size_t n)
{
    const __m512i text = _mm512_set1_epi64((long long)(UINT64_MAX >> 8));
    for (size_t i = 0; i + 8 <= n; i += 8) {
        __m128i ids = _mm_loadu_si128((const __m128i *)(v + 2 * i));
        __m512i w = _mm512_i64gather_epi64(_mm512_cvtepu16_epi64(ids), words, 8);
        __mmask64 kept = _mm512_test_epi8_mask(w, text);
        _mm512_storeu_si512(p, _mm512_maskz_compress_epi8(kept, w));
        p += _mm_popcnt_u64(kept);
    }
    return p;
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("popcnt");
}
#endif

static char *put_u16s(char *p, const uint8_t *v, size_t n)
{
    size_t i = 0;
#ifdef AVX512
    if (n >= 8 && has_avx512()) {
        p = put_eights(p, v, n);
        i = n & ~(size_t)7;
    }
#endif
    for (; i < n; i++) {
        uint16_t x;
        memcpy(&x, v + 2 * i, 2);
        p = put_word(p, x);
    }
    return p - 1;
}

#define WORDS(type)                                                                      \
    for (size_t i = 0; i < n; i++) {                                                     \
        type x;                                                                          \
        memcpy(&x, (const uint8_t *)v + i * sizeof x, sizeof x);                         \
        int64_t w = x;                                                                   \
        if (((uint64_t)w >> 16) == 0) {                                                  \
            p = put_word(p, (uint16_t)w);                                                \
        } else {                                                                         \
            p = put_i64(p, w);                                                           \
            *p++ = ',';                                                                  \
        }                                                                                \
    }                                                                                    \
    return p - 1;

/* 1 becomes 1.0, so that it is read as what it was. */
static char *mark_float(char *p, int n)
{
    if (strcspn(p, ".e") < (size_t)n)
        return p + n;
    memcpy(p + n, ".0", 2);
    return p + n + 2;
}

static char *put_double(char *p, double v, int digits, int most, bool narrow)
{
    if (!isfinite(v)) {
        memcpy(p, "null", 4);
        return p + 4;
    }
    for (;; digits++) {
        int n = snprintf(p, TSL_RECJSON_NUMBER - 2, "%.*g", digits, v);
        if (digits == most ||
            (narrow ? (double)strtof(p, NULL) == v : strtod(p, NULL) == v))
            return mark_float(p, n);
    }
}

static char *put_f32(char *p, float v)
{
    return put_double(p, (double)v, 6, 9, true);
}

static char *put_f64(char *p, double v)
{
    return put_double(p, v, 15, 17, false);
}

#define NUMBERS(type, put, cast)                                                         \
    for (size_t i = 0; i < n; i++) {                                                     \
        type x;                                                                          \
        memcpy(&x, (const uint8_t *)v + i * sizeof x, sizeof x);                         \
        if (i)                                                                           \
            *p++ = ',';                                                                  \
        p = put(p, cast(x));                                                             \
    }                                                                                    \
    return p;

char *tsl_recjson_numbers(char *p, enum tsl_dtype t, const void *v, size_t n)
{
    if (n == 0)
        return p;
    if (!atomic_load_explicit(&words_made, memory_order_acquire))
        make_words();
    switch (t) {
    case TSL_BIT:
    case TSL_U8: WORDS(uint8_t)
    case TSL_U16: return put_u16s(p, v, n);
    case TSL_U32: WORDS(uint32_t)
    case TSL_I8: WORDS(int8_t)
    case TSL_I16: WORDS(int16_t)
    case TSL_I32: WORDS(int32_t)
    case TSL_I64: WORDS(int64_t)
    case TSL_U64: NUMBERS(uint64_t, put_u64, )
    case TSL_F16: NUMBERS(uint16_t, put_f32, tsl_half_float)
    case TSL_F32: NUMBERS(float, put_f32, )
    default: NUMBERS(double, put_f64, )
    }
}

/* ---- strings ---- */

static char *put_string(char *p, const uint8_t *s, size_t n)
{
    *p++ = '"';
    p = tsl_json_escape(p, s, n);
    *p++ = '"';
    return p;
}

/* A column's name: of letters and the like, with rare exceptions. */
static char *put_name(char *p, const char *name)
{
    char *to = p;
    size_t n = 0;
    *to++ = '"';
    for (; name[n] >= ' ' && name[n] < 0x7f && name[n] != '"' && name[n] != '\\'; n++)
        *to++ = name[n];
    if (name[n])
        return put_string(p, (const uint8_t *)name, strlen(name));
    *to++ = '"';
    return to;
}

static char *put_base64(char *p, const uint8_t *s, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    memcpy(p, "{\"base64\":\"", 11);
    p += 11;
    for (size_t i = 0; i < n; i += 3, p += 4) {
        size_t left = n - i;
        uint32_t w = (uint32_t)s[i] << 16 | (left > 1 ? (uint32_t)s[i + 1] << 8 : 0) |
                     (left > 2 ? s[i + 2] : 0);
        p[0] = letters[w >> 18];
        p[1] = letters[w >> 12 & 63];
        p[2] = left > 1 ? letters[w >> 6 & 63] : '=';
        p[3] = left > 2 ? letters[w & 63] : '=';
    }
    memcpy(p, "\"}", 2);
    return p + 2;
}

/* The values that are still to be written. */
struct left {
    const uint8_t *data;
    const uint32_t *lens; /* of strings */
};

static char *put_strings(char *p, enum tsl_dtype t, struct left *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = *v->lens++;
        if (i)
            *p++ = ',';
        if (t == TSL_STR) {
            p = put_string(p, v->data, len);
        } else if (t == TSL_BYTES) {
            p = put_base64(p, v->data, len);
        } else {
            for (uint32_t k = 0; k < len; k++)
                p[k] = v->data[k] == '\n' || v->data[k] == '\r' ? ' ' : (char)v->data[k];
            p += len;
        }
        v->data += len;
    }
    return p;
}

/* ---- columns ---- */

static char *put_values(char *p, enum tsl_dtype t, struct left *v, uint32_t n)
{
    size_t size = tsl_dtype_bytes(t);
    if (!size)
        return put_strings(p, t, v, n);
    p = tsl_recjson_numbers(p, t, v->data, n);
    v->data += n * size;
    return p;
}

/* An array of dims[0] arrays of dims[1] ... */
static char *put_nested(char *p, const struct tsl_column *c, uint32_t dim, struct left *v)
{
    *p++ = '[';
    if (dim + 1 == c->ndims)
        p = put_values(p, c->type, v, c->dims[dim]);
    for (uint32_t i = 0; dim + 1 < c->ndims && i < c->dims[dim]; i++) {
        if (i)
            *p++ = ',';
        p = put_nested(p, c, dim + 1, v);
    }
    *p++ = ']';
    return p;
}

static char *put_value(char *p, const struct tsl_column *c, const struct tsl_value *v)
{
    bool array = c->count == 0 || c->ndims;
    struct left all = { v->data, v->lens };
    if (c->ndims > 1)
        return put_nested(p, c, 0, &all);
    if (array)
        *p++ = '[';
    p = put_values(p, c->type, &all, v->n);
    if (array)
        *p++ = ']';
    return p;
}

size_t tsl_recjson_bound(const struct tsl_schema *s, const struct tsl_record *rec)
{
    /* a comma; brackets: fewer than two a value in each dimension */
    const size_t around = 1 + 2 * TSL_COLUMN_DIMS_MAX;
    size_t n = 2;
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_value *v = &rec->values[i];
        n += TSL_JSON_ESCAPED_MAX * sizeof s->columns[i].name + 16;
        if (tsl_dtype_bytes(s->columns[i].type))
            n += (TSL_RECJSON_NUMBER + around) * (size_t)v->n;
        else
            for (uint32_t k = 0; k < v->n; k++)
                n += TSL_JSON_ESCAPED_MAX * (size_t)v->lens[k] + 16 + around;
    }
    return n;
}

int tsl_recjson_check(const struct tsl_schema *s, const struct tsl_record *rec,
                      struct tsl_err *err)
{
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_value *v = &rec->values[i];
        const uint8_t *p = v->data;
        for (uint32_t k = 0; s->columns[i].type == TSL_JSON && k < v->n;
             p += v->lens[k++])
            if (!tsl_json_is((struct tsl_slice){ p, v->lens[k] }))
                return tsl_err_set(err, TSL_EFORMAT,
                                   "record %" PRIu64 ": column %s: no JSON text",
                                   rec->number, tsl_quote(s->columns[i].name).s);
    }
    return 0;
}

char *tsl_recjson_write(char *p, const struct tsl_schema *s, const struct tsl_record *rec)
{
    *p++ = '{';
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_column *c = &s->columns[i];
        if (i)
            *p++ = ',';
        p = put_name(p, c->name);
        *p++ = ':';
        p = put_value(p, c, &rec->values[i]);
    }
    *p++ = '}';
    return p;
}

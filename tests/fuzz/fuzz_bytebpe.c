/* fuzz_bytebpe - any vocabulary of bytes, merges or ranks, any pattern and any text: the
 * tokens that the slow way finds, with spans and without, whole and in stretches.
 *
 * A model takes a tenth of a second to make: there are few, with one vocabulary, and a text
 * for one of them.  (test_bytebpe.c tries other vocabularies.) */
#include "support/fuzzmodel.h"
#include "support/slowbytebpe.h"
#include "support/stretches.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MERGES_MAX = 200 };

/* In stretches of step bytes; 0: the whole text at once. */
static void check(void *coder, struct tsl_slice text, size_t step, unsigned want,
                  const struct tsl_tokens *slow)
{
    struct tsl_tokens t;
    tsl_tokens_init(&t, want);
    encode_stretches(&tsl_bytebpe_engine, coder, text, step, NULL, &t);
    must(t.n == slow->n);
    for (size_t i = 0; i < t.n; i++) {
        must(t.ids[i] == slow->ids[i]);
        must(!want || t.marks[i] == slow->marks[i]);
        must(!want || (t.begin[i] == slow->begin[i] && t.end[i] == slow->end[i]));
    }
    tsl_tokens_fini(&t);
}

static struct tsl_vocab *read_vocab(struct tsl_tokfile_lines *lines,
                                    struct tsl_tokfile_merge *merges, size_t *nmerges)
{
    struct tsl_vocab *v = tsl_vocab_create(NULL);
    struct tsl_slice line;
    *nmerges = 0;
    for (unsigned b = 0; b < 256; b++) {
        uint8_t byte = (uint8_t)b;
        fuzz_token(v, (struct tsl_slice){ &byte, 1 });
    }
    while (fuzz_line(lines, &line) && *nmerges < MERGES_MAX) {
        const uint8_t *tab = memchr(line.data, '\t', line.len);
        if (!tab || tab == line.data || tab + 1 == line.data + line.len)
            continue;
        struct tsl_slice left = { line.data, (size_t)(tab - line.data) };
        struct tsl_slice right = { tab + 1, line.len - left.len - 1 };
        uint8_t *both = malloc(line.len);
        must(both != NULL);
        memcpy(both, left.data, left.len);
        memcpy(both + left.len, right.data, right.len);
        uint32_t l = fuzz_token(v, left), r = fuzz_token(v, right);
        uint32_t m = fuzz_token(v, (struct tsl_slice){ both, line.len - 1 });
        merges[(*nmerges)++] = (struct tsl_tokfile_merge){ l, r, m };
        free(both);
    }
    return v;
}

enum { NCONFIGS = 16 };

struct model {
    struct tsl_vocab *v;
    struct tsl_tokfile_merge *merges;
    struct tsl_bytebpe_special specials[3];
    struct tsl_bytebpe_opts o;
    struct tsl_bytebpe_model *m;
    void *coder;
};

/* config: a number below NCONFIGS. */
static void model_make(struct model *x, unsigned config, struct tsl_tokfile_lines *lines)
{
    static const enum tsl_splitpat patterns[NCONFIGS / 2] = {
        TSL_SPLITPAT_GPT2,  TSL_SPLITPAT_CL100K, TSL_SPLITPAT_CL100K_T,
        TSL_SPLITPAT_QWEN2, TSL_SPLITPAT_O200K,  TSL_SPLITPAT_TEKKEN,
        TSL_SPLITPAT_GPT2,  TSL_SPLITPAT_UNKNOWN
    };
    bool ranks = config % 3 == 1;
    size_t n;
    x->merges = calloc(MERGES_MAX, sizeof *x->merges);
    must(x->merges != NULL);
    x->v = read_vocab(lines, x->merges, &n);
    uint32_t next = tsl_vocab_size(x->v);
    x->specials[0] = (struct tsl_bytebpe_special){ fuzz_str("<s>"), next, false };
    x->specials[1] = (struct tsl_bytebpe_special){ fuzz_str("<s><s>"), next + 1, false };
    x->specials[2] = (struct tsl_bytebpe_special){ fuzz_str(" a"), next + 2, false };
    x->o = (struct tsl_bytebpe_opts){
        .vocab = x->v,
        .merges = ranks ? NULL : x->merges,
        .nmerges = ranks ? 0 : n,
        .pattern = patterns[config / 2],
        .whole = ranks || config % 5 == 0,
        .invalid = config & 1 ? TSL_INVALID_BYTES : TSL_INVALID_REPLACE,
        .specials = x->specials,
        .nspecials = config % 7 < 4 ? 3 : 0,
        .isa = config % 7 == 4 ? TSL_SPLITSCAN_PLAIN : TSL_SPLITSCAN_BEST
    };
    x->m = tsl_bytebpe_model_create(&x->o, NULL);
    x->coder = x->m ? tsl_bytebpe_engine.coder_create(x->m, 4 << 20, NULL) : NULL;
    must(!x->m || x->coder);
}

static void check_all(const struct model *x, struct tsl_slice text, size_t step)
{
    struct tsl_tokens slow;
    if (!x->m)
        return;
    tsl_tokens_init(&slow, TSL_WANT_SPANS | TSL_WANT_MARKS);
    slow_bytebpe(&x->o, text, &slow);
    check(x->coder, text, 0, 0, &slow);
    check(x->coder, text, 0, TSL_WANT_SPANS | TSL_WANT_MARKS, &slow);
    check(x->coder, text, step, 0, &slow);
    check(x->coder, text, step, TSL_WANT_SPANS | TSL_WANT_MARKS, &slow);
    tsl_tokens_fini(&slow);
}

static const char usual[] =
    " \ta\n \tt\nh\te\n t\the\ni\tn\nr\te\no\tn\n t\to\n  \t \n  \t  "
    "\n\n\t\n\n1\t2\n12\t3\n,\t "
    "\n.\t.\n..\t.\n'\ts\n'\tll\nl\tl\na\ta\naa\taa\naaaa\taaaa\nA\tB\n "
    "A\tB\ne\td\nL\tL\n"
    "\xc3\t\xa9\ne\t\xcc\x81\n\xe4\xb8\t\xad\n\xe6\t\x96\n\xe6\x96\t\x87\n\xe4\xb8\xad\t"
    "\xe6\x96\x87\n\x87\t\xe4\n\xe4\t\xb8\n\xef\xbf\t\xbd\n\xf0\x9f\t\x98\n\xf0\x9f\x98\t"
    "\x80\n"
    "\r\t\n\xe3\x80\t\x80\n \t\xe4\xb8\xad\n<\ts\n<s\t>\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model known[NCONFIGS];
    if (size < 2 || size > 1500)
        return 0;
    unsigned config = data[0] % NCONFIGS;
    struct tsl_slice text = { data + 2, size - 2 };
    if (!known[config].v) {
        struct tsl_tokfile_lines lines = { .rest = fuzz_str(usual) };
        model_make(&known[config], config, &lines);
    }
    check_all(&known[config], text, 1 + data[1] % 40);
    return 0;
}

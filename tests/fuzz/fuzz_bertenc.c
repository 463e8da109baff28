/* fuzz_bertenc - any vocabulary, rules and text: the tokens that come of characters
 * normalised one after the other and words cut the slow way, for each kind of CPU, with
 * spans and without, whole and in stretches.
 *
 * A model takes most of a second to make here: there are few, with one vocabulary, and a
 * text for one of them. */
#include "support/fuzzmodel.h"
#include "support/slowmodels.h"
#include "support/stretches.h"
#include "text/bertenc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A word of n characters. */
static void slow_word(const struct tsl_vocab *v, struct tsl_slice unk, size_t chars_max,
                      const struct tsl_bertchar *c, size_t n, struct tsl_tokens *out)
{
    uint8_t *bytes = malloc(4 * n + 1);
    struct tsl_slice word = { bytes, 0 };
    must(bytes != NULL);
    for (size_t i = 0; i < n; i++)
        word.len += tsl_utf8_encode(bytes + word.len, c[i].cp);
    slow_wordpiece(v, unk, fuzz_str("##"), chars_max, word, out);
    free(bytes);
}

static void slow_bert(const struct tsl_vocab *v, struct tsl_bertnorm norm,
                      struct tsl_slice unk, size_t chars_max, struct tsl_slice text,
                      struct tsl_tokens *out)
{
    struct tsl_bertchars chars = { .n = 0 };
    const struct tsl_bertcontext around = { false, false };
    must(tsl_bertnorm_chars(&norm, text, around, &chars, NULL) == 0);
    for (size_t i = 0, e; i < chars.n; i = e) {
        for (e = i + 1; e < chars.n && !chars.c[e].first;)
            e++;
        slow_word(v, unk, chars_max, chars.c + i, e - i, out);
    }
    tsl_bertchars_fini(&chars);
}

static void check(void *coder, struct tsl_slice text, size_t step, unsigned want,
                  const struct tsl_tokens *slow)
{
    struct tsl_tokens t;
    tsl_tokens_init(&t, want);
    encode_stretches(&tsl_bertenc_engine, coder, text, step, NULL, &t);
    must(t.n == slow->n);
    for (size_t i = 0; i < t.n; i++)
        must(t.ids[i] == slow->ids[i]);
    tsl_tokens_fini(&t);
}

enum { NCONFIGS = 9 };

struct model {
    struct tsl_vocab *v;
    struct tsl_bertenc_opts o;
    struct tsl_bertenc_model *m;
    void *coder;
};

/* config: a number below NCONFIGS. */
static void model_make(struct model *x, unsigned config, struct tsl_tokfile_lines *lines)
{
    /* of rules of Hugging Face's: lower case, accents, signs, cleaning */
    static const uint8_t off[NCONFIGS] = { 0, 0, 0, 12, 0, 0, 3, 0, 0 };
    struct tsl_slice line;
    x->v = tsl_vocab_create(NULL);
    fuzz_token(x->v, fuzz_str("[UNK]"));
    while (fuzz_line(lines, &line))
        if (fuzz_is_utf8(line))
            fuzz_token(x->v, line);
    x->o = (struct tsl_bertenc_opts){ .norm = tsl_bertnorm_make((struct tsl_bertnorm){
                                          .rules = (enum tsl_rules)(config % 3),
                                          .clean_text = !(off[config] & 1),
                                          .handle_chinese_chars = !(off[config] & 2),
                                          .strip_accents = !(off[config] & 4),
                                          .lowercase = !(off[config] & 8) }),
                                      .unk = 0,
                                      .max_chars = 20,
                                      .cpu = (enum tsl_bertenc_cpu)(config / 3 % 3) };
    x->m = tsl_bertenc_model_create(x->v, &x->o, NULL);
    must(x->m != NULL);
    x->coder = tsl_bertenc_engine.coder_create(x->m, 4 << 20, NULL);
    must(x->coder != NULL);
}

static void check_all(const struct model *x, struct tsl_slice text, size_t step)
{
    struct tsl_tokens slow;
    tsl_tokens_init(&slow, TSL_WANT_SPANS | TSL_WANT_MARKS);
    slow_bert(x->v, x->o.norm, fuzz_str("[UNK]"), x->o.max_chars, text, &slow);
    check(x->coder, text, 0, 0, &slow);
    check(x->coder, text, 0, TSL_WANT_SPANS | TSL_WANT_MARKS, &slow);
    check(x->coder, text, step, 0, &slow);
    check(x->coder, text, step, TSL_WANT_SPANS | TSL_WANT_MARKS, &slow);
    tsl_tokens_fini(&slow);
}

static const char usual[] =
    "a\nb\ne\n##a\n##b\n##e\nab\n##ab\nthe\n##s\n,\n.\n##.\n-\n!\n1\n##1\nA\n##A\n"
    "\xc3\xa9\n##\xc3\xa9\n\xcc\x81\n##\xcc\x81\n\xce\xb1\n##\xce\xb1\n\xcf\x83\n##"
    "\xcf\x83\n\xcf\x82\n"
    "##\xcf\x82\n\xe4\xbd\xa0\n\xe5\xa5\xbd\n##\xe5\xa5\xbd\n\xe2\x80\x99\ni\n##"
    "i\n\xcc\x87\n##\xcc\x87\n"
    "\xe1\x84\x80\n##\xe1\x85\xa1\n##\xe1\x86\xa8\n\xea\xb0\x81\n\xef\xbf\xbd\n[\n]"
    "\nunk\nUNK\n\xc4\xb1\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model known[NCONFIGS];
    if (size < 2 || size > 3000)
        return 0;
    unsigned config = data[0] % NCONFIGS;
    struct tsl_slice text = { data + 2, size - 2 };
    if (!known[config].v) {
        struct tsl_tokfile_lines lines = { .rest = fuzz_str(usual) };
        model_make(&known[config], config, &lines);
    }
    check_all(&known[config], text, 1 + data[1] % 60);
    return 0;
}

/* ctok_inspect.c - `ctok inspect`: how a text is cut, what a vocabulary holds. */
#include "ctok.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "text/vocabid.h"

static struct {
    const char *color;
} given;

static const struct cli_opt opts[] = {
    CTOK_VOCABULARY,
    CTOK_OPT(0, "invalid", "HOW", CLI_STR, &ctok_given.invalid,
             "bytes that are not UTF-8: replace, error or bytes"),
    CTOK_HEADING("Output:"),
    CTOK_OPT(0, "specials", "HOW", CLI_STR, &ctok_given.specials,
             "none (the default), or add what the vocabulary puts\naround a text"),
    CTOK_OPT(0, "color", "WHEN", CLI_STR, &given.color,
             "auto (on a terminal, unless NO_COLOR is set), always,\nnever"),
    { 0 },
};

static const char examples[] =
    "Examples:\n"
    "  ctok inspect -V gpt2 'Tokenizers cut unfamiliar words.'\n"
    "      the pieces, and their ids below them\n"
    "  ctok inspect -V model.model\n"
    "      what a vocabulary holds: size, special tokens, lengths, bytes covered\n";

enum { PIECE_MAX = 4096 };

struct screen {
    bool color;
    size_t width;
};

/* Columns that a character takes: wide ones of East Asia two, marks that combine none. */
static unsigned columns_of(uint32_t cp)
{
    if ((cp >= 0x300 && cp <= 0x36f) || (cp >= 0x200b && cp <= 0x200f) ||
        (cp >= 0xfe00 && cp <= 0xfe0f) || (cp >= 0x20d0 && cp <= 0x20ff))
        return 0;
    bool wide = (cp >= 0x1100 && cp <= 0x115f) || (cp >= 0x2e80 && cp <= 0x303e) ||
                (cp >= 0x3041 && cp <= 0xa4cf) || (cp >= 0xac00 && cp <= 0xd7a3) ||
                (cp >= 0xf900 && cp <= 0xfaff) || (cp >= 0xfe30 && cp <= 0xfe6f) ||
                (cp >= 0xff00 && cp <= 0xff60) || (cp >= 0xffe0 && cp <= 0xffe6) ||
                (cp >= 0x1f300 && cp <= 0x1faff) || (cp >= 0x20000 && cp <= 0x3fffd);
    return wide ? 2 : 1;
}

/* text[0, n) as it may be shown: controls and ill-formed bytes as \n or \xNN.  Returns the
 * columns that it takes; cut with ... beyond room. */
static size_t show(char *out, size_t cap, const uint8_t *text, size_t n, size_t room)
{
    const uint8_t *end = text + n;
    size_t at = 0, columns = 0;
    while (text < end && at + 16 < cap) {
        uint32_t cp;
        size_t k = tsl_utf8_decode(text, end, &cp);
        if (columns + 8 > room) {
            at += (size_t)sprintf(out + at, "...");
            columns += 3;
            break;
        }
        if (cp == '\n' || cp == '\t' || cp == '\r') {
            at += (size_t)sprintf(out + at, "\\%c",
                                  cp == '\n'   ? 'n'
                                  : cp == '\t' ? 't'
                                               : 'r');
            columns += 2;
        } else if (cp == TSL_UTF8_BAD || cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
            for (size_t i = 0; i < k; i++, columns += 4)
                at += (size_t)sprintf(out + at, "\\x%02x", text[i]);
        } else {
            memcpy(out + at, text, k);
            at += k;
            columns += columns_of(cp);
        }
        text += k;
    }
    out[at] = '\0';
    return columns;
}

static size_t spell(const struct tsl_tokenizer *t, uint32_t id, char *out, size_t cap,
                    size_t room)
{
    char raw[PIECE_MAX];
    int n = tsl_tokenizer_spell(t, id, raw, sizeof raw);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1;
    return show(out, cap, (const uint8_t *)raw, len, room);
}

static void pad(size_t n)
{
    printf("%*s", (int)n, "");
}

/* The colour of a piece: its kind's, or one of four by turns. */
static const char *paint(unsigned marks, size_t i)
{
    static const char *const turns[] = { "\33[30;48;5;153m", "\33[30;48;5;157m",
                                         "\33[30;48;5;222m", "\33[30;48;5;218m" };
    if (marks & TSL_TOKEN_UNKNOWN)
        return "\33[97;41m";
    if (marks & TSL_TOKEN_SPECIAL)
        return "\33[97;45m";
    return turns[i % 4];
}

/* Pieces above their ids, as many on a line as it holds. */
static void print_pieces(const struct tsl_tokenizer *t, const struct tsl_tokens *k,
                         const struct screen *s)
{
    char piece[2 * PIECE_MAX], id[16];
    for (size_t from = 0, to; from < k->n; from = to) {
        size_t used = 0;
        for (to = from; to < k->n; to++) {
            size_t w = spell(t, k->ids[to], piece, sizeof piece, s->width);
            size_t d = (size_t)snprintf(id, sizeof id, "%" PRIu32, k->ids[to]);
            w = (w > d ? w : d) + 2;
            if (to > from && used + w > s->width)
                break;
            used += w;
        }
        for (int line = 0; line < 2; line++) {
            for (size_t i = from; i < to; i++) {
                size_t w = spell(t, k->ids[i], piece, sizeof piece, s->width);
                size_t d = (size_t)snprintf(id, sizeof id, "%" PRIu32, k->ids[i]);
                size_t wide = w > d ? w : d;
                bool ends = i + 1 == to;
                if (line == 0 && s->color)
                    printf("%s%s\33[0m", paint(k->marks[i], i), piece);
                else
                    printf("%s", line == 0 ? piece : id);
                if (!ends)
                    pad(wide + 2 - (line == 0 ? w : d));
            }
            printf("\n");
        }
        if (to < k->n)
            printf("\n");
    }
}

static int inspect_text(const struct tsl_tokenizer *t, struct tsl_coder *c,
                        struct tsl_slice text, const struct screen *s,
                        struct tsl_err *err)
{
    struct tsl_tokens k, wrapped;
    size_t used, words = 0, unknown = 0, chars = 0;
    tsl_tokens_init(&k, TSL_WANT_MARKS | TSL_WANT_SPANS);
    tsl_tokens_init(&wrapped, TSL_WANT_MARKS | TSL_WANT_SPANS);
    int rc = tsl_coder_encode(c, text, true, true, &used, &k, err);
    for (size_t i = 0; i < k.n && rc == 0; i++) {
        words += !!(k.marks[i] & TSL_TOKEN_WORD_START);
        unknown += !!(k.marks[i] & TSL_TOKEN_UNKNOWN);
    }
    bool add = ctok_given.specials && strcmp(ctok_given.specials, "add") == 0;
    if (rc == 0 && add)
        rc = tsl_coder_wrap(c, &k, NULL, &wrapped, NULL, NULL, err);
    if (rc == 0) {
        uint32_t cp;
        for (size_t i = 0; i < text.len; chars++)
            i += tsl_utf8_decode(text.data + i, text.data + text.len, &cp);
        const struct tsl_tokens *all = add ? &wrapped : &k;
        print_pieces(t, all, s);
        printf("%s%zu token%s, %zu word%s, %zu character%s, %zu byte%s",
               all->n ? "\n" : "", all->n, all->n == 1 ? "" : "s", words,
               words == 1 ? "" : "s", chars, chars == 1 ? "" : "s", text.len,
               text.len == 1 ? "" : "s");
        if (k.n)
            printf(": %.3g bytes a token", (double)text.len / (double)k.n);
        printf(unknown ? "; %zu unknown\n" : "\n", unknown);
    }
    tsl_tokens_fini(&k);
    tsl_tokens_fini(&wrapped);
    return rc;
}

static void print_special(const struct tsl_tokenizer *t, const char *use, int64_t id,
                          bool *any)
{
    char piece[512];
    if (id < 0)
        return;
    spell(t, (uint32_t)id, piece, sizeof piece, 60);
    printf("%s %s %s %" PRId64 "\n", *any ? "            " : "special     ", use, piece,
           id);
    *any = true;
}

/* Which bytes have a token of their own, so that no text is without one? */
static unsigned bytes_covered(const struct tsl_tokenizer *t, struct tsl_coder *c)
{
    bool covered[256] = { false };
    uint8_t *text = NULL;
    size_t cap = 0, len;
    unsigned n = 0, byte;
    for (uint32_t id = 0; id < tsl_tokenizer_size(t); id++) {
        char raw[PIECE_MAX];
        char end;
        int k = tsl_tokenizer_spell(t, id, raw, sizeof raw);
        if (k == 6 && sscanf(raw, "<0x%2X>%c", &byte, &end) == 1)
            covered[byte & 0xff] = true;
        len = 0;
        if (k > 0 && k <= 8 &&
            tsl_coder_decode(c, &id, 1, false, &text, &len, &cap, NULL) == 0 && len == 1)
            covered[text[0]] = true;
    }
    for (int i = 0; i < 256; i++)
        n += covered[i];
    tsl_mem_free(text);
    return n;
}

enum { LENGTHS = 12, EXAMPLES = 5 };

static void print_lengths(const struct tsl_tokenizer *t)
{
    struct {
        uint32_t n, ids[EXAMPLES], nids;
    } by[LENGTHS] = { { 0 } };
    uint32_t longest = 0, size = tsl_tokenizer_size(t);
    size_t longest_len = 0;
    char raw[PIECE_MAX], piece[512];
    for (uint32_t id = 0; id < size; id++) {
        int len = tsl_tokenizer_spell(t, id, raw, sizeof raw);
        if (len < 0)
            continue;
        unsigned b = len ? 32 - (unsigned)__builtin_clz((unsigned)len) : 0;
        b = b < LENGTHS ? b : LENGTHS - 1;
        by[b].n++;
        if ((size_t)len > longest_len) {
            longest_len = (size_t)len;
            longest = id;
        }
        /* spread over the ids: a token takes a place when the count has doubled since */
        if (by[b].nids < EXAMPLES && (by[b].n & (by[b].n - 1)) == 0)
            by[b].ids[by[b].nids++] = id;
    }
    if (longest_len) {
        spell(t, longest, piece, sizeof piece, 50);
        printf("longest      %zu bytes: %s %" PRIu32 "\n", longest_len, piece, longest);
    }
    printf("\n      bytes    tokens  for example\n");
    for (unsigned b = 0; b < LENGTHS; b++) {
        char range[32];
        if (!by[b].n)
            continue;
        if (b < 2)
            snprintf(range, sizeof range, "%u", b);
        else
            snprintf(range, sizeof range, "%u-%u", 1U << (b - 1), (1U << b) - 1);
        printf("%11s %9" PRIu32 " ", range, by[b].n);
        for (uint32_t i = 0; i < by[b].nids; i++) {
            spell(t, by[b].ids[i], piece, sizeof piece, 24);
            printf(" %s", piece);
        }
        printf("\n");
    }
}

static int inspect_vocabulary(const struct tsl_tokenizer *t, struct tsl_coder *c,
                              struct tsl_err *err)
{
    static const char *const kinds[] = {
        "BERT's vocab.txt", "GPT-2's vocab.json + merges.txt", "tiktoken's ranks",
        "Hugging Face's tokenizer.json", "SentencePiece's model"
    };
    static const char *const uses[] = { "pad ", "unk ", "cls ", "sep ",
                                        "mask", "bos ", "eos " };
    struct tsl_special_tokens s = tsl_tokenizer_specials(t);
    const int64_t ids[] = { s.pad, s.unk, s.cls, s.sep, s.mask, s.bos, s.eos };
    const struct tsl_vocab *v = tsl_tokenizer_vocab(t);
    char id[TSL_VOCABID_BYTES], raw[PIECE_MAX];
    bool any = false;
    uint32_t size = tsl_tokenizer_size(t), holes = 0;
    int rc = tsl_vocabid_of(t, id, err);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < size; i++)
        holes += tsl_tokenizer_spell(t, i, raw, sizeof raw) < 0;
    printf("vocabulary   %s\n", tsl_quote(ctok_given.vocabulary.vocab).s);
    printf("kind         %s; engine %s\n", kinds[tsl_tokenizer_kind(t)],
           tsl_tokenizer_engine(t));
    printf("ids          %" PRIu32, size);
    if (holes)
        printf(", %" PRIu32 " without a token", holes);
    if (tsl_vocab_duplicates(v))
        printf(", %zu whose token another one has, too", tsl_vocab_duplicates(v));
    printf("; %s bytes each\nvocab_id     %s\n", size <= 65536 ? "2" : "4", id);
    for (int i = 0; i < 7; i++)
        print_special(t, uses[i], ids[i], &any);
    unsigned covered = bytes_covered(t, c);
    if (covered == 256)
        printf("bytes        each of the 256 has a token: no text is unknown\n");
    else
        printf("bytes        %u of 256 have a token of their own\n", covered);
    print_lengths(t);
    return 0;
}

/* Lines of standard input, each a text. */
static int inspect_stdin(const struct tsl_tokenizer *t, struct tsl_coder *c,
                         const struct screen *s, struct tsl_err *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int rc = 0;
    bool first = true;
    while (rc == 0 && (n = getline(&line, &cap, stdin)) >= 0) {
        n -= n > 0 && line[n - 1] == '\n';
        if (!first)
            printf("\n");
        first = false;
        rc = inspect_text(t, c, (struct tsl_slice){ (uint8_t *)line, (size_t)n }, s, err);
    }
    if (rc == 0 && ferror(stdin))
        rc = tsl_err_sys(err, errno, "cannot read standard input");
    tsl_mem_free(line);
    return rc;
}

static struct screen choose_screen(void)
{
    struct screen s = { false, 80 };
    struct winsize w;
    int when = cli_choose("color", given.color, "auto\0always\0never\0");
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    bool terminal = isatty(STDOUT_FILENO);
    if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20)
        s.width = w.ws_col;
    s.color = when == 1 || (when == 0 && terminal && !(no && *no) &&
                            !(term && strcmp(term, "dumb") == 0));
    return s;
}

static int inspect(char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_tokenizer *t = NULL;
    struct tsl_coder *c = NULL;
    struct screen s = choose_screen();
    cli_choose("specials", ctok_given.specials, "none\0add\0");
    int rc = ctok_open(n == 0, &t, err);
    if (rc == 0) {
        c = tsl_coder_create(t, 4 << 20, err);
        rc = c ? 0 : TSL_ENOMEM;
    }
    if (rc == 0 && n == 0)
        rc = inspect_vocabulary(t, c, err);
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct tsl_slice text = { (const uint8_t *)operands[i], strlen(operands[i]) };
        if (i > 0)
            printf("\n");
        rc = strcmp(operands[i], "-") == 0 ? inspect_stdin(t, c, &s, err)
                                           : inspect_text(t, c, text, &s, err);
    }
    if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        rc = tsl_err_sys(err, errno, "write error");
    tsl_coder_destroy(c);
    tsl_tokenizer_destroy(t);
    return rc;
}

const struct ctok_command ctok_inspect = {
    .name = "inspect",
    .usage = "-V VOCAB [OPTION]... [TEXT]...",
    .summary = "Show how each TEXT is cut (-: lines of standard input); without TEXT, "
               "tell what\n"
               "VOCAB holds.",
    .notes = "",
    .examples = examples,
    .opts = opts,
    .run = inspect,
};

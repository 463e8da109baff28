/* spmnorm.h - text as SentencePiece normalises it before it looks for pieces.
 *
 * Within this room U+2581, which SentencePiece writes for a space, is a space again (where
 * the model escapes spaces at all): plain text is then its own normal form, byte by byte.
 * Instead of a map from each byte to its origin there is a list of segments: few, as most
 * text stays as it is.
 * Source: normalizer.cc of SentencePiece 0.1.97.
 * Order: as in the text.
 * Memory: the normal form and 12 bytes a segment; kept by the next run.
 * Threads: a spmnorm is read-only once made; a run has one owner. */
#ifndef TSL_SPMNORM_H
#define TSL_SPMNORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/charsmap.h"
#include "text/tokfile_spm.h"
#include "text/trie.h"

enum {
    TSL_SPMNORM_ODD = 4,
    TSL_SPMNORM_PAD = 32 /* readable bytes behind the normal form; the first is 0xFF */
};

struct tsl_spmnorm {
    struct tsl_charsmap charsmap;
    bool has_charsmap, has_user;
    struct tsl_trie user; /* user-defined pieces as they stand in text: left alone */
    bool dummy_front, dummy_back, remove_extra, escape;
    /* A key needs at most so many bytes to be known; SIZE_MAX: any number. */
    size_t hold;
    /* For byte c followed by a byte below 0x80: what it becomes; 0: look closer. */
    uint8_t ascii[256];
    /* 0x20 to 0x7E are so, but for a few: themselves, or their small letters */
    bool blocks, fold;
    uint8_t odd[TSL_SPMNORM_ODD];
    unsigned nodd;
    /* A bit a code point: it stays itself, whatever follows. */
    uint64_t *plain;
};

/* options' charsmap is lent and must outlive nm.  user: n user-defined pieces. */
int tsl_spmnorm_init(struct tsl_spmnorm *nm, const struct tsl_spm_normalizer *options,
                     bool suffix, const struct tsl_slice *user, size_t n,
                     const char *name, struct tsl_err *err);
void tsl_spmnorm_fini(struct tsl_spmnorm *nm);

/* From norm on, bytes come from raw on: one from one if linear, else all from raw. */
struct tsl_spmnorm_seg {
    uint32_t norm, raw;
    bool linear;
};

struct tsl_spmnorm_run {
    /* what lies before: of the row */
    bool started;    /* something other than leading spaces was met */
    bool prev_space; /* what came last ended in a space, and more spaces are dropped */
    /* of this stretch */
    uint8_t *bytes;
    size_t len, cap;
    struct tsl_spmnorm_seg *segs; /* by norm; the last of equal ones counts */
    size_t nsegs, segs_cap;
    size_t raw; /* bytes of the stretch that were read */
    size_t
        certain; /* bytes that nothing that follows can take away: trailing spaces go */
    uint64_t invalid; /* ill-formed bytes met, all runs together */
};

/* The beginning of a row. */
void tsl_spmnorm_begin(struct tsl_spmnorm_run *run);
/* Normalises text: all of it if last, else as far as it is certain. */
int tsl_spmnorm_text(const struct tsl_spmnorm *nm, struct tsl_spmnorm_run *run,
                     struct tsl_slice text, bool last, struct tsl_err *err);
void tsl_spmnorm_fini_run(struct tsl_spmnorm_run *run);

/* Where the byte at norm comes from; *seg: 0 at first, goes forward with norm. */
static inline uint32_t tsl_spmnorm_raw(const struct tsl_spmnorm_run *run, size_t *seg,
                                       size_t norm)
{
    size_t i = *seg;
    while (i + 1 < run->nsegs && run->segs[i + 1].norm <= norm)
        i++;
    *seg = i;
    const struct tsl_spmnorm_seg *s = &run->segs[i];
    return s->raw + (s->linear ? (uint32_t)norm - s->norm : 0);
}

/* Can the row be taken up anew at norm, whose origin is raw?  If so, *prev_space is what the
 * run's must be there. */
bool tsl_spmnorm_resume(const struct tsl_spmnorm *nm, const struct tsl_spmnorm_run *run,
                        struct tsl_slice text, size_t seg, size_t norm, bool *prev_space);

#endif

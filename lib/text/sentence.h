/* sentence.h - where one sentence ends and the next begins.
 *
 * The rule is simple and total: every byte belongs to one sentence, and the sentences
 * behind each other are the text.
 *   - A newline ends a sentence.
 *   - The marks 。 ！ ？ end one wherever they stand.
 *   - The marks . ! ? end one where white space or the text's end follows, and, for texts
 *     that use them between characters without spaces, where a character beyond ASCII
 *     follows a run with ! or ?, or a . that stands behind such a character.
 *     But not where the word behind the white space begins with a small ASCII letter
 *     ("e.g. this", "'Why?' he said"), nor a single . behind a single capital letter, or
 *     behind a single letter with a . before it ("J. Smith", "U.S. Army", "a.m. Today"),
 *     or behind Mr Mrs Ms Dr Prof St Jr Sr No Vol Fig vs.  The . inside 3.14 or
 *     example.org has no white space behind it.
 *   - Further marks, closing quotes and brackets right behind a mark, and white space
 *     behind those, stay with the sentence that they end; white space at the begin of the
 *     text belongs to the first.
 * Order: as in the text.
 * Memory: none.
 * Threads: pure functions; a state has one owner. */
#ifndef TSL_SENTENCE_H
#define TSL_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What has to be remembered of the text so far: a few bytes, however long the sentence. */
struct tsl_sentence {
    uint8_t phase;  /* before the first word, in a sentence, behind marks, behind space */
    bool wide;      /* one of the marks ends a sentence wherever it stands */
    bool newline;   /* a newline was met */
    bool high;      /* the byte before the marks was beyond ASCII */
    bool bang;      /* ! or ? was among the marks */
    bool shortened; /* the only mark is a . behind what it shortens */
    uint8_t ntail;  /* the last bytes read */
    uint8_t tail[8];
};

/* At the begin of a text. */
void tsl_sentence_init(struct tsl_sentence *s);

/* Reads p[0, n), which goes on where the last call stopped, and does not begin or end
 * inside a character: returns where the next sentence begins, and stops there; or n when
 * none begins in it.  The begin may be 0: what was read before was the whole sentence. */
size_t tsl_sentence_next(struct tsl_sentence *s, const uint8_t *p, size_t n);

#endif

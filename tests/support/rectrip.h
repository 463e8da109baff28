/* rectrip.h - records through a format and back: written, read and compared, their files damaged,
 * and each failure of the writer tried.
 *
 * Works in the current folder; what goes wrong fails the test. */
#ifndef TSL_RECTRIP_H
#define TSL_RECTRIP_H

#include "record/record.h"
#include "support/recdata.h"

/* A column of each of these types ("u8 str"), of each of these kinds: 's' one value, 'l' a list, 'd'
 * of dimensions 2 and 3. */
void rectrip_columns(struct tsl_schema *s, const char *types, const char *kinds);

/* A record of what is at the edge: k 0: lists and strings are empty, numbers 0; 1: numbers are the
 * largest there are, finite; 2: the smallest, strings have what must be escaped; above:
 * anything. */
void rectrip_corner(struct recdata *r, const struct tsl_schema *s, unsigned k);

/* Records of one schema, to be written. */
struct rectrip {
    struct tsl_rechead head;
    struct tsl_recwriter_opts opts;
    const struct recdata *records;
    size_t n;
};

/* One shard called stem, and the format's index; nothing remains after an error. */
int rectrip_write(const struct rectrip *t, const char *stem, struct tsl_err *err);

/* path holds the records of t, in order, each under its number; where they can be counted
 * and picked, each comes alone, too.  o NULL: opened as t's format. */
void rectrip_is(const struct rectrip *t, const char *path,
                const struct tsl_recreader_opts *o);

/* Writes and reads back. */
void rectrip_both(const struct rectrip *t, const char *path);

/* Columns come back as wanted says: [i] in place of the schema's i. */
void rectrip_is_as(const struct rectrip *t, const char *path,
                   const struct tsl_recreader_opts *o, const struct tsl_schema *wanted);

/* What damage may do beside being told. */
enum rectrip_damage {
    RECTRIP_SAME,   /* nothing: all records are as they were */
    RECTRIP_PREFIX, /* there are fewer records at the end, the others as they were */
    RECTRIP_OTHER   /* values are others */
};

/* file, which is a part of what path opens, is cut at every byte, then each bit of each byte
 * is changed; in steps beyond the first 600 bytes.  The file is afterwards as it was. */
void rectrip_damage(const struct rectrip *t, const char *path,
                    const struct tsl_recreader_opts *o, const char *file,
                    enum rectrip_damage cut, enum rectrip_damage flip);

/* Each write, sync, link, rename and allocation fails once while the records are written, and
 * each read and allocation while path is read: that is told, and the folder is as before. */
void rectrip_faults(const struct rectrip *t, const char *path);

#endif

/* rec_webdataset.h - WebDataset's archives: a sample is the files of a tar that have one name up
 * to the first dot.
 *
 * Source: webdataset/webdataset, tariterators.py, writer.py, autodecode.py.
 * Written: of each record KEY.npz with its numbers (a member for each would cost a KiB each), and
 *   KEY.COLUMN.txt, .json or .bin of each string; KEY is the record's number in nine digits.
 *   The same records give the same bytes.
 * Read: .npz and .npy become numbers, .cls and .id whole ones, .txt strings, .json texts of
 *   JSON, all else bytes; columns are those of the first sample; a string that
 *   a later one does not have is empty, or null.  Fields lose capital letters, as that
 *   reader has it; a manifest's schema knows them.  __meta__ files are passed
 *   over.
 * Memory: a sample's files.
 * Threads: one owner. */
#ifndef TSL_REC_WEBDATASET_H
#define TSL_REC_WEBDATASET_H

#include "record/record.h"

extern const struct tsl_recformat tsl_rec_webdataset;

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* A small H.264 encoder (ITU-T H.264): each macroblock has one colour, the mean of what it covers. */
#ifndef BOARD_H264_H
#define BOARD_H264_H

#include <linux/types.h>

/* What the sequence parameter set says. */
struct h264_sequence {
	u32 width, height;
	u8 profile_idc, level_idc;
	bool is_constrained, is_level_1b;
	u32 frame_num, frame_den; /* the duration of a frame, in seconds */
	bool is_full_range;
	u8 primaries, transfer, matrix; /* as in ITU-T H.273 */
};

/* A frame in the encoder's input format. Chroma is halved across and, unless rows_per_chroma is 1, down. */
struct h264_frame {
	const u8 *luma, *cb, *cr;
	u32 luma_stride, chroma_stride;
	u32 luma_step, chroma_step; /* bytes from one sample to the next */
	u32 rows_per_chroma;
};

struct h264_macroblock {
	u8 value[3];
};

/* Bytes that grow; what does not fit is left out and is_full says so. */
struct h264_bytes {
	u8 *data;
	size_t length, size;
	bool is_full;
};

struct h264_encoder {
	struct h264_sequence sequence;
	struct h264_macroblock *decoded; /* what a decoder has */
	u32 across, down;
	u16 frame_num, idr_id;
	u8 *slice; /* scratch for one slice */
	size_t slice_size;
};

/* Quality steps, from the finest to the coarsest. */
#define H264_STEPS 4

int h264_open(struct h264_encoder *encoder, const struct h264_sequence *sequence);
void h264_close(struct h264_encoder *encoder);
void h264_write_parameters(const struct h264_encoder *encoder, struct h264_bytes *out);
/* Codes a picture into encoder->slice; returns its length as it will be written. */
size_t h264_code(struct h264_encoder *encoder, const struct h264_frame *frame, bool is_key, u32 step,
		 struct h264_bytes *nal);
/* A message of this many bytes in all that decoders skip; at least H264_PADDING_MIN. */
void h264_write_padding(struct h264_bytes *out, size_t bytes, u32 seed);
#define H264_PADDING_MIN 40

#endif

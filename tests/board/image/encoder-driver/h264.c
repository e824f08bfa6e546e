// SPDX-License-Identifier: GPL-2.0
/*
 * A small H.264 encoder, written from ITU-T H.264. It knows two kinds of macroblock: Intra_16x16 with nothing but DC
 * coefficients, and P_Skip. Each macroblock has one colour, so a prediction from the left or from above is one colour as
 * well, and one coefficient a plane says the difference. Coefficients are written by CAVLC; nothing is deblocked.
 */
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "h264.h"

/* Quantisers at which a luma coefficient is worth 1, 2, 4 and 8 (section 8.5.10). */
static const u8 quantisers[H264_STEPS] = { 28, 34, 40, 46 };
/* Those of chroma that belong to them (table 8-15). */
static const u8 chroma_quantisers[H264_STEPS] = { 28, 32, 36, 38 };
/* Macroblocks that differ by less than this are not coded again. */
static const u8 tolerances[H264_STEPS] = { 1, 3, 6, 12 };
/* normAdjust(m, 0, 0), section 8.5.9. */
static const u8 scales[6] = { 10, 11, 13, 14, 16, 18 };

struct bits {
	struct h264_bytes *out;
	u32 value, count;
	u32 zeros; /* zero bytes in a row */
	bool is_escaped;
};

static void put_raw(struct h264_bytes *out, u8 byte)
{
	if (out->length < out->size)
		out->data[out->length++] = byte;
	else
		out->is_full = true;
}

/* Keeps start codes out of a NAL unit (section 7.4.1). */
static void put_byte(struct bits *bits, u8 byte)
{
	if (bits->is_escaped && bits->zeros == 2 && byte <= 3) {
		put_raw(bits->out, 3);
		bits->zeros = 0;
	}
	bits->zeros = byte ? 0 : bits->zeros + 1;
	put_raw(bits->out, byte);
}

static void u(struct bits *bits, u32 value, u32 count)
{
	while (count--) {
		bits->value = bits->value << 1 | (value >> count & 1);
		if (++bits->count == 8) {
			put_byte(bits, bits->value);
			bits->count = 0;
			bits->value = 0;
		}
	}
}

static void ue(struct bits *bits, u32 value)
{
	u32 length = fls(value + 1);

	u(bits, 0, length - 1);
	u(bits, value + 1, length);
}

static void se(struct bits *bits, s32 value)
{
	ue(bits, value > 0 ? 2 * value - 1 : -2 * value);
}

static void begin(struct bits *bits, struct h264_bytes *out, u8 header)
{
	static const u8 start[] = { 0, 0, 0, 1 };
	u32 i;

	*bits = (struct bits){ .out = out, .is_escaped = true };
	for (i = 0; i < sizeof(start); i++)
		put_raw(out, start[i]);
	put_byte(bits, header);
}

static void end(struct bits *bits)
{
	u(bits, 1, 1);
	if (bits->count)
		u(bits, 0, 8 - bits->count);
}

/* Section 7.3.2.1, with the VUI of annex E. */
static void write_sequence(const struct h264_sequence *s, struct h264_bytes *out)
{
	u32 across = DIV_ROUND_UP(s->width, 16), down = DIV_ROUND_UP(s->height, 16);
	u32 right = (across * 16 - s->width) / 2, below = (down * 16 - s->height) / 2;
	struct bits bits;

	begin(&bits, out, 0x67);
	u(&bits, s->profile_idc, 8);
	u(&bits, 0, 1);
	u(&bits, s->is_constrained, 1);
	u(&bits, 0, 1);
	u(&bits, s->is_level_1b, 1);
	u(&bits, 0, 4);
	u(&bits, s->level_idc, 8);
	ue(&bits, 0);
	if (s->profile_idc == 100) {
		ue(&bits, 1); /* 4:2:0 */
		ue(&bits, 0); /* 8 bits */
		ue(&bits, 0);
		u(&bits, 0, 2); /* no lossless blocks, no scaling lists */
	}
	ue(&bits, 4); /* 8 bits of frame_num */
	ue(&bits, 2); /* output in the order of decoding */
	ue(&bits, 1); /* one reference frame */
	u(&bits, 0, 1);
	ue(&bits, across - 1);
	ue(&bits, down - 1);
	u(&bits, 1, 1); /* frames only */
	u(&bits, 1, 1);
	u(&bits, right || below, 1);
	if (right || below) {
		ue(&bits, 0);
		ue(&bits, right);
		ue(&bits, 0);
		ue(&bits, below);
	}
	u(&bits, 1, 1); /* VUI */
	u(&bits, 0, 2); /* neither aspect ratio nor overscan */
	u(&bits, 1, 1);
	u(&bits, 5, 3); /* of no named video format */
	u(&bits, s->is_full_range, 1);
	u(&bits, 1, 1);
	u(&bits, s->primaries, 8);
	u(&bits, s->transfer, 8);
	u(&bits, s->matrix, 8);
	u(&bits, 0, 1); /* chroma location */
	u(&bits, 1, 1);
	u(&bits, s->frame_num >> 16, 16);
	u(&bits, s->frame_num & 0xffff, 16);
	u(&bits, (2 * s->frame_den) >> 16, 16);
	u(&bits, (2 * s->frame_den) & 0xffff, 16);
	u(&bits, 1, 1); /* at a fixed rate */
	u(&bits, 0, 3); /* no HRD, no picture structure */
	u(&bits, 1, 1); /* restrictions: nothing is reordered */
	u(&bits, 1, 1);
	ue(&bits, 0);
	ue(&bits, 0);
	ue(&bits, 16);
	ue(&bits, 16);
	ue(&bits, 0);
	ue(&bits, 1);
	end(&bits);
}

/* Section 7.3.2.2. */
static void write_picture_parameters(struct h264_bytes *out)
{
	struct bits bits;

	begin(&bits, out, 0x68);
	ue(&bits, 0);
	ue(&bits, 0);
	u(&bits, 0, 2); /* CAVLC, no field order */
	ue(&bits, 0);
	ue(&bits, 0);
	ue(&bits, 0);
	u(&bits, 0, 3); /* no weights */
	se(&bits, quantisers[0] - 26);
	se(&bits, 0);
	se(&bits, 0);
	u(&bits, 1, 1); /* slices say whether they are deblocked */
	u(&bits, 0, 2);
	end(&bits);
}

void h264_write_parameters(const struct h264_encoder *encoder, struct h264_bytes *out)
{
	write_sequence(&encoder->sequence, out);
	write_picture_parameters(out);
}

/* The difference that a decoder makes of a luma level (section 8.5.10). */
static s32 luma_of(s32 level, u32 step)
{
	u32 q = quantisers[step], scale = 16 * scales[q % 6];
	s32 dc = q >= 36 ? (level * (s32)scale) << (q / 6 - 6)
			 : (level * (s32)scale + (1 << (5 - q / 6))) >> (6 - q / 6);

	return (dc + 32) >> 6;
}

/* The same of a chroma level (section 8.5.11). */
static s32 chroma_of(s32 level, u32 step)
{
	u32 q = chroma_quantisers[step], scale = 16 * scales[q % 6];
	s32 dc = ((level * (s32)scale) << (q / 6)) >> 5;

	return (dc + 32) >> 6;
}

/* The level whose difference is nearest to the wanted one. */
static s32 level_for(s32 wanted, u32 step, s32 (*of)(s32, u32))
{
	s32 worth = max(of(64, step), 1), level = wanted * 64 / worth, best = level, near = INT_MAX, i;

	for (i = level - 1; i <= level + 1; i++) {
		s32 off = abs(of(i, step) - wanted);

		if (off < near) {
			near = off;
			best = i;
		}
	}
	return best;
}

/* One coefficient, the first of its block, of a luma (nC = 0) or chroma (nC = -1) DC block (section 9.2). */
static void put_block(struct bits *bits, s32 level, bool is_chroma)
{
	u32 code;

	if (!level) {
		is_chroma ? u(bits, 1, 2) : u(bits, 1, 1);
		return;
	}
	if (level == 1 || level == -1) {
		is_chroma ? u(bits, 1, 1) : u(bits, 1, 2);
		u(bits, level < 0, 1);
	} else {
		is_chroma ? u(bits, 7, 6) : u(bits, 5, 6);
		code = (level > 0 ? 2 * level - 2 : -2 * level - 1) - 2;
		if (code < 14) {
			u(bits, 1, code + 1);
		} else if (code < 30) {
			u(bits, 1, 15);
			u(bits, code - 14, 4);
		} else {
			u(bits, 1, 16);
			u(bits, code - 30, 12);
		}
	}
	u(bits, 1, 1); /* no zeros before it */
}

static u8 mean(const u8 *from, u32 stride, u32 step, u32 across, u32 down)
{
	u32 sum = 0, x, y;

	if (!across || !down)
		return 128;
	for (y = 0; y < down; y++, from += stride)
		for (x = 0; x < across; x++)
			sum += from[x * step];
	return (sum + across * down / 2) / (across * down);
}

static struct h264_macroblock colour_of(const struct h264_frame *f, const struct h264_sequence *s, u32 mx, u32 my)
{
	u32 across = min(16U, s->width - mx * 16), down = min(16U, s->height - my * 16);
	u32 rows = down / f->rows_per_chroma;
	size_t luma = (size_t)my * 16 * f->luma_stride + mx * 16 * f->luma_step;
	size_t chroma = (size_t)(my * 16 / f->rows_per_chroma) * f->chroma_stride + mx * 8 * f->chroma_step;

	return (struct h264_macroblock){ {
		mean(f->luma + luma, f->luma_stride, f->luma_step, across, down),
		mean(f->cb + chroma, f->chroma_stride, f->chroma_step, across / 2, rows),
		mean(f->cr + chroma, f->chroma_stride, f->chroma_step, across / 2, rows),
	} };
}

static bool is_alike(const struct h264_macroblock *a, const struct h264_macroblock *b, u32 tolerance)
{
	u32 i;

	/* Chroma has half the precision. */
	for (i = 0; i < 3; i++)
		if (abs(a->value[i] - b->value[i]) > tolerance + (i > 0))
			return false;
	return true;
}

/* An Intra_16x16 macroblock, predicted from the left, else from above, else from mid grey (section 7.3.5). */
static void put_macroblock(struct bits *bits, struct h264_macroblock *to, const struct h264_macroblock *wanted,
			   const struct h264_macroblock *from, bool is_left, bool is_key, u32 step)
{
	static const struct h264_macroblock grey = { { 128, 128, 128 } };
	u32 luma_mode = !from ? 2 : is_left ? 1 : 0, chroma_mode = !from ? 0 : is_left ? 1 : 2, i;
	s32 level[3];
	bool has_chroma;

	if (!from)
		from = &grey;
	for (i = 0; i < 3; i++) {
		s32 (*of)(s32, u32) = i ? chroma_of : luma_of;
		s32 base = from->value[i];

		level[i] = level_for(wanted->value[i] - base, step, of);
		to->value[i] = clamp(base + of(level[i], step), 0, 255);
	}
	has_chroma = level[1] || level[2];
	ue(bits, (is_key ? 1 : 6) + luma_mode + 4 * has_chroma);
	ue(bits, chroma_mode);
	se(bits, 0);
	put_block(bits, level[0], false);
	if (has_chroma) {
		put_block(bits, level[1], true);
		put_block(bits, level[2], true);
	}
}

size_t h264_code(struct h264_encoder *e, const struct h264_frame *frame, bool is_key, u32 step, struct h264_bytes *nal)
{
	u32 x, y, skipped = 0;
	struct bits bits;

	step = min(step, H264_STEPS - 1U);
	*nal = (struct h264_bytes){ .data = e->slice, .size = e->slice_size };
	e->frame_num = is_key ? 0 : (e->frame_num + 1) & 0xff;
	begin(&bits, nal, is_key ? 0x65 : 0x61);
	ue(&bits, 0);
	ue(&bits, is_key ? 7 : 5);
	ue(&bits, 0);
	u(&bits, e->frame_num, 8);
	if (is_key) {
		ue(&bits, e->idr_id);
		e->idr_id ^= 1;
	} else {
		u(&bits, 0, 2); /* references as they are */
	}
	u(&bits, 0, is_key ? 2 : 1); /* they stay so */
	se(&bits, quantisers[step] - quantisers[0]);
	ue(&bits, 1); /* not deblocked */
	for (y = 0; y < e->down; y++)
		for (x = 0; x < e->across; x++) {
			struct h264_macroblock *to = &e->decoded[y * e->across + x];
			struct h264_macroblock wanted = colour_of(frame, &e->sequence, x, y);

			if (!is_key && is_alike(to, &wanted, tolerances[step])) {
				skipped++;
				continue;
			}
			if (!is_key) {
				ue(&bits, skipped);
				skipped = 0;
			}
			put_macroblock(&bits, to, &wanted, x ? to - 1 : y ? to - e->across : NULL, x, is_key, step);
		}
	if (skipped)
		ue(&bits, skipped);
	end(&bits);
	return nal->length;
}

/* A message of user data (annex D.1.6), in bytes that need no escaping. */
void h264_write_padding(struct h264_bytes *out, size_t bytes, u32 seed)
{
	static const char uuid[16] = "board-h264-fill.";
	size_t payload = bytes - 4 - 1 - 1 - 1; /* start code, header, type, end */
	struct bits bits;
	size_t i;

	/* One byte of length, and another one for each 255. */
	payload -= 1;
	payload -= payload / 256;
	begin(&bits, out, 0x06);
	put_byte(&bits, 5);
	for (i = payload; i >= 255; i -= 255)
		put_byte(&bits, 255);
	put_byte(&bits, i);
	for (i = 0; i < payload; i++)
		put_byte(&bits, i < sizeof(uuid) ? uuid[i] : 0x20 + (seed + i) % 0x5f);
	put_byte(&bits, 0x80);
}

int h264_open(struct h264_encoder *e, const struct h264_sequence *sequence)
{
	e->sequence = *sequence;
	e->across = DIV_ROUND_UP(sequence->width, 16);
	e->down = DIV_ROUND_UP(sequence->height, 16);
	/* A macroblock takes less than 24 bytes. */
	e->slice_size = 64 + (size_t)e->across * e->down * 24;
	e->decoded = kvcalloc((size_t)e->across * e->down, sizeof(*e->decoded), GFP_KERNEL);
	e->slice = kvmalloc(e->slice_size, GFP_KERNEL);
	if (e->decoded && e->slice)
		return 0;
	h264_close(e);
	return -ENOMEM;
}

void h264_close(struct h264_encoder *e)
{
	kvfree(e->decoded);
	kvfree(e->slice);
	e->decoded = NULL;
	e->slice = NULL;
}

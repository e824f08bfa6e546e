// SPDX-License-Identifier: GPL-2.0
/*
 * A hardware encoder of H.264 as a driver shows it (V4L2 memory-to-memory stateful video encoder interface), for boards that
 * have none. Its known bugs are switched on through its parameters, while it runs as well.
 */
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/platform_device.h>
#include <linux/workqueue.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-device.h>
#include <media/v4l2-event.h>
#include <media/v4l2-ioctl.h>
#include <media/v4l2-mem2mem.h>
#include <media/videobuf2-v4l2.h>
#include <media/videobuf2-vmalloc.h>

#include "h264.h"

#define NAME "board_h264"
#define SIZE_MIN 32U
#define WIDTH_MAX 1920U
#define HEIGHT_MAX 1200U
#define BITRATE_MAX 25000000
#define CODED_MIN (512U * 1024)

static unsigned int hang_after;
module_param(hang_after, uint, 0644);
MODULE_PARM_DESC(hang_after, "hangs after this many frames of a stream, and whoever closes it with it; 0 goes on");
static unsigned int silent_after;
module_param(silent_after, uint, 0644);
MODULE_PARM_DESC(silent_after, "takes frames and gives nothing after this many of a stream");
static unsigned int fail_after;
module_param(fail_after, uint, 0644);
MODULE_PARM_DESC(fail_after, "its queues fail after this many frames of a stream");
static bool refuse_start;
module_param(refuse_start, bool, 0644);
MODULE_PARM_DESC(refuse_start, "refuses to start");
static bool low_level;
module_param(low_level, bool, 0644);
MODULE_PARM_DESC(low_level, "announces level 1 in its parameters, whatever is asked");
static bool refuse_low_level;
module_param(refuse_low_level, bool, 0644);
MODULE_PARM_DESC(refuse_low_level, "takes too low a level by itself, and refuses to start below level 4");
static bool refuse_highest;
module_param(refuse_highest, bool, 0644);
MODULE_PARM_DESC(refuse_highest, "refuses to start at the highest bitrate that it claims");
static bool hang_on_key_frames;
module_param(hang_on_key_frames, bool, 0644);
MODULE_PARM_DESC(hang_on_key_frames, "hangs when each frame is asked to be a key frame");
static bool ignore_force_key;
module_param(ignore_force_key, bool, 0644);
MODULE_PARM_DESC(ignore_force_key, "is deaf to requests for a key frame");
static bool ignore_bitrate;
module_param(ignore_bitrate, bool, 0644);
MODULE_PARM_DESC(ignore_bitrate, "keeps the bitrate that it was started with");
static bool lose_parameters;
module_param(lose_parameters, bool, 0644);
MODULE_PARM_DESC(lose_parameters, "begins no stream with its parameters but the first; they are only where they are repeated");

/* What it has done. */
static unsigned int frames, frames_imported, key_frames, key_requests, streams, bitrate;
module_param(frames, uint, 0444);
MODULE_PARM_DESC(frames, "frames coded");
module_param(frames_imported, uint, 0444);
MODULE_PARM_DESC(frames_imported, "those of them that lay in imported memory (DMABuf)");
module_param(key_frames, uint, 0444);
MODULE_PARM_DESC(key_frames, "key frames coded");
module_param(key_requests, uint, 0444);
MODULE_PARM_DESC(key_requests, "requests for a key frame");
module_param(streams, uint, 0444);
MODULE_PARM_DESC(streams, "streams started");
module_param(bitrate, uint, 0444);
MODULE_PARM_DESC(bitrate, "bitrate last asked for, in bit/s");

struct board_device {
	struct v4l2_device v4l2;
	struct video_device video;
	struct v4l2_m2m_dev *m2m;
	struct mutex lock;
	struct workqueue_struct *work;
};

struct stream {
	struct v4l2_fh fh;
	struct board_device *device;
	struct work_struct work;
	struct v4l2_ctrl_handler controls;
	struct v4l2_pix_format_mplane raw, coded;
	struct v4l2_rect crop;
	struct v4l2_fract interval;
	u32 out_sequence, cap_sequence;

	struct v4l2_ctrl *bitrate, *bitrate_mode, *gop, *i_period, *repeat, *profile, *level;
	bool force_key;

	struct h264_encoder encoder;
	u32 frames, since_key, started_bitrate;
	s64 credit; /* bits that may be spent */
};

static struct stream *stream_of(struct file *file)
{
	return container_of(file_to_v4l2_fh(file), struct stream, fh);
}

/* Formats */

struct raw_format {
	u32 fourcc, bits; /* bits a pixel */
};

static const struct raw_format raw_formats[] = {
	{ V4L2_PIX_FMT_NV12, 12 },
	{ V4L2_PIX_FMT_YUV420, 12 },
	{ V4L2_PIX_FMT_YUYV, 16 },
};

static const struct raw_format *raw_format(u32 fourcc)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(raw_formats); i++)
		if (raw_formats[i].fourcc == fourcc)
			return &raw_formats[i];
	return NULL;
}

static void fit_raw(struct v4l2_pix_format_mplane *pix)
{
	const struct raw_format *format = raw_format(pix->pixelformat) ?: &raw_formats[0];
	struct v4l2_plane_pix_format *plane = &pix->plane_fmt[0];
	u32 line, bytes;

	pix->pixelformat = format->fourcc;
	pix->width = clamp(pix->width, SIZE_MIN, WIDTH_MAX) & ~1U;
	pix->height = clamp(pix->height, SIZE_MIN, HEIGHT_MAX) & ~1U;
	pix->field = V4L2_FIELD_NONE;
	pix->num_planes = 1;
	pix->flags = 0;
	line = format->bits == 16 ? pix->width * 2 : pix->width;
	/* A wider line than needed is taken as it is, so that others' buffers can be imported. */
	plane->bytesperline = clamp(plane->bytesperline, line, 4 * WIDTH_MAX) & ~1U;
	bytes = plane->bytesperline * pix->height * (format->bits == 16 ? 2 : 3) / 2;
	plane->sizeimage = format->bits == 16 ? plane->bytesperline * pix->height : bytes;
	memset(plane->reserved, 0, sizeof(plane->reserved));
}

static void fit_coded(const struct stream *stream, struct v4l2_pix_format_mplane *pix)
{
	u32 asked = pix->plane_fmt[0].sizeimage, least;

	memset(pix->plane_fmt, 0, sizeof(pix->plane_fmt));
	pix->pixelformat = V4L2_PIX_FMT_H264;
	pix->field = V4L2_FIELD_NONE;
	pix->num_planes = 1;
	pix->flags = 0;
	/* The size and the colours are those of the frames. */
	pix->width = stream->crop.width;
	pix->height = stream->crop.height;
	pix->colorspace = stream->raw.colorspace;
	pix->xfer_func = stream->raw.xfer_func;
	pix->ycbcr_enc = stream->raw.ycbcr_enc;
	pix->quantization = stream->raw.quantization;
	least = max(CODED_MIN, pix->width * pix->height);
	pix->plane_fmt[0].sizeimage = clamp(asked, least, 8U * 1024 * 1024);
}

static int query_cap(struct file *file, void *priv, struct v4l2_capability *cap)
{
	strscpy(cap->driver, NAME, sizeof(cap->driver));
	strscpy(cap->card, "H.264 encoder of the emulated board", sizeof(cap->card));
	strscpy(cap->bus_info, "platform:" NAME, sizeof(cap->bus_info));
	return 0;
}

static int enum_raw(struct file *file, void *priv, struct v4l2_fmtdesc *f)
{
	if (f->index >= ARRAY_SIZE(raw_formats))
		return -EINVAL;
	f->pixelformat = raw_formats[f->index].fourcc;
	return 0;
}

static int enum_coded(struct file *file, void *priv, struct v4l2_fmtdesc *f)
{
	if (f->index)
		return -EINVAL;
	f->pixelformat = V4L2_PIX_FMT_H264;
	return 0;
}

static int enum_sizes(struct file *file, void *priv, struct v4l2_frmsizeenum *f)
{
	if (f->index || (f->pixel_format != V4L2_PIX_FMT_H264 && !raw_format(f->pixel_format)))
		return -EINVAL;
	f->type = V4L2_FRMSIZE_TYPE_STEPWISE;
	f->stepwise = (struct v4l2_frmsize_stepwise){ SIZE_MIN, WIDTH_MAX, 2, SIZE_MIN, HEIGHT_MAX, 2 };
	return 0;
}

static int get_raw(struct file *file, void *priv, struct v4l2_format *f)
{
	f->fmt.pix_mp = stream_of(file)->raw;
	return 0;
}

static int get_coded(struct file *file, void *priv, struct v4l2_format *f)
{
	f->fmt.pix_mp = stream_of(file)->coded;
	return 0;
}

static int try_raw(struct file *file, void *priv, struct v4l2_format *f)
{
	fit_raw(&f->fmt.pix_mp);
	return 0;
}

static int try_coded(struct file *file, void *priv, struct v4l2_format *f)
{
	fit_coded(stream_of(file), &f->fmt.pix_mp);
	return 0;
}

static int set_raw(struct file *file, void *priv, struct v4l2_format *f)
{
	struct stream *stream = stream_of(file);

	if (vb2_is_busy(v4l2_m2m_get_src_vq(stream->fh.m2m_ctx)))
		return -EBUSY;
	fit_raw(&f->fmt.pix_mp);
	stream->raw = f->fmt.pix_mp;
	stream->crop = (struct v4l2_rect){ 0, 0, stream->raw.width, stream->raw.height };
	fit_coded(stream, &stream->coded);
	return 0;
}

static int set_coded(struct file *file, void *priv, struct v4l2_format *f)
{
	struct stream *stream = stream_of(file);

	if (vb2_is_busy(v4l2_m2m_get_dst_vq(stream->fh.m2m_ctx)))
		return -EBUSY;
	fit_coded(stream, &f->fmt.pix_mp);
	stream->coded = f->fmt.pix_mp;
	return 0;
}

static int get_selection(struct file *file, void *priv, struct v4l2_selection *s)
{
	struct stream *stream = stream_of(file);

	if (s->type != V4L2_BUF_TYPE_VIDEO_OUTPUT)
		return -EINVAL;
	switch (s->target) {
	case V4L2_SEL_TGT_CROP:
		s->r = stream->crop;
		return 0;
	case V4L2_SEL_TGT_CROP_DEFAULT:
	case V4L2_SEL_TGT_CROP_BOUNDS:
		s->r = (struct v4l2_rect){ 0, 0, stream->raw.width, stream->raw.height };
		return 0;
	}
	return -EINVAL;
}

static int set_selection(struct file *file, void *priv, struct v4l2_selection *s)
{
	struct stream *stream = stream_of(file);
	struct v4l2_rect *r = &s->r;

	if (s->type != V4L2_BUF_TYPE_VIDEO_OUTPUT || s->target != V4L2_SEL_TGT_CROP)
		return -EINVAL;
	if (vb2_is_busy(v4l2_m2m_get_dst_vq(stream->fh.m2m_ctx)))
		return -EBUSY;
	r->width = clamp(r->width, SIZE_MIN, stream->raw.width) & ~1U;
	r->height = clamp(r->height, SIZE_MIN, stream->raw.height) & ~1U;
	r->left = clamp(r->left, 0, (s32)(stream->raw.width - r->width)) & ~1;
	r->top = clamp(r->top, 0, (s32)(stream->raw.height - r->height)) & ~1;
	stream->crop = *r;
	fit_coded(stream, &stream->coded);
	return 0;
}

static int get_parm(struct file *file, void *priv, struct v4l2_streamparm *p)
{
	struct stream *stream = stream_of(file);

	if (p->type != V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE)
		return -EINVAL;
	p->parm.output = (struct v4l2_outputparm){ .capability = V4L2_CAP_TIMEPERFRAME, .timeperframe = stream->interval };
	return 0;
}

static int set_parm(struct file *file, void *priv, struct v4l2_streamparm *p)
{
	struct stream *stream = stream_of(file);
	struct v4l2_fract asked = p->parm.output.timeperframe;

	if (p->type != V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE)
		return -EINVAL;
	if (asked.numerator && asked.denominator && asked.denominator <= 1000000)
		stream->interval = asked;
	return get_parm(file, priv, p);
}

static const struct v4l2_event ended = { .type = V4L2_EVENT_EOS };

static int command(struct file *file, void *priv, struct v4l2_encoder_cmd *cmd)
{
	struct stream *stream = stream_of(file);
	struct v4l2_m2m_ctx *m2m = stream->fh.m2m_ctx;
	int failed = v4l2_m2m_ioctl_try_encoder_cmd(file, priv, cmd);

	if (failed)
		return failed;
	if (!vb2_is_streaming(v4l2_m2m_get_src_vq(m2m)) || !vb2_is_streaming(v4l2_m2m_get_dst_vq(m2m)))
		return 0;
	failed = v4l2_m2m_ioctl_encoder_cmd(file, priv, cmd);
	if (failed)
		return failed;
	if (cmd->cmd == V4L2_ENC_CMD_STOP && v4l2_m2m_has_stopped(m2m))
		v4l2_event_queue_fh(&stream->fh, &ended);
	if (cmd->cmd == V4L2_ENC_CMD_START && v4l2_m2m_has_stopped(m2m)) {
		v4l2_m2m_clear_state(m2m);
		vb2_clear_last_buffer_dequeued(v4l2_m2m_get_dst_vq(m2m));
	}
	return 0;
}

static int subscribe(struct v4l2_fh *fh, const struct v4l2_event_subscription *sub)
{
	if (sub->type == V4L2_EVENT_EOS)
		return v4l2_event_subscribe(fh, sub, 0, NULL);
	return v4l2_ctrl_subscribe_event(fh, sub);
}

static const struct v4l2_ioctl_ops ioctls = {
	.vidioc_querycap = query_cap,
	.vidioc_enum_fmt_vid_out = enum_raw,
	.vidioc_enum_fmt_vid_cap = enum_coded,
	.vidioc_enum_framesizes = enum_sizes,
	.vidioc_g_fmt_vid_out_mplane = get_raw,
	.vidioc_g_fmt_vid_cap_mplane = get_coded,
	.vidioc_try_fmt_vid_out_mplane = try_raw,
	.vidioc_try_fmt_vid_cap_mplane = try_coded,
	.vidioc_s_fmt_vid_out_mplane = set_raw,
	.vidioc_s_fmt_vid_cap_mplane = set_coded,
	.vidioc_g_selection = get_selection,
	.vidioc_s_selection = set_selection,
	.vidioc_g_parm = get_parm,
	.vidioc_s_parm = set_parm,
	.vidioc_reqbufs = v4l2_m2m_ioctl_reqbufs,
	.vidioc_create_bufs = v4l2_m2m_ioctl_create_bufs,
	.vidioc_querybuf = v4l2_m2m_ioctl_querybuf,
	.vidioc_expbuf = v4l2_m2m_ioctl_expbuf,
	.vidioc_qbuf = v4l2_m2m_ioctl_qbuf,
	.vidioc_dqbuf = v4l2_m2m_ioctl_dqbuf,
	.vidioc_prepare_buf = v4l2_m2m_ioctl_prepare_buf,
	.vidioc_streamon = v4l2_m2m_ioctl_streamon,
	.vidioc_streamoff = v4l2_m2m_ioctl_streamoff,
	.vidioc_encoder_cmd = command,
	.vidioc_try_encoder_cmd = v4l2_m2m_ioctl_try_encoder_cmd,
	.vidioc_subscribe_event = subscribe,
	.vidioc_unsubscribe_event = v4l2_event_unsubscribe,
};

/* Controls */

static int set_control(struct v4l2_ctrl *control)
{
	struct stream *stream = container_of(control->handler, struct stream, controls);

	/* What a control says is read where it is needed. */
	if (control->id == V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME) {
		key_requests++;
		WRITE_ONCE(stream->force_key, true);
	} else if (control->id == V4L2_CID_MPEG_VIDEO_BITRATE) {
		bitrate = control->val;
	}
	return 0;
}

static const struct v4l2_ctrl_ops control_ops = { .s_ctrl = set_control };

static int add_controls(struct stream *stream)
{
	struct v4l2_ctrl_handler *h = &stream->controls;
	u8 level = refuse_low_level ? V4L2_MPEG_VIDEO_H264_LEVEL_1_1 : V4L2_MPEG_VIDEO_H264_LEVEL_4_0;

	v4l2_ctrl_handler_init(h, 11);
	stream->bitrate = v4l2_ctrl_new_std(h, &control_ops, V4L2_CID_MPEG_VIDEO_BITRATE, 25000, BITRATE_MAX, 25000, 10000000);
	stream->bitrate_mode = v4l2_ctrl_new_std_menu(h, &control_ops, V4L2_CID_MPEG_VIDEO_BITRATE_MODE,
						      V4L2_MPEG_VIDEO_BITRATE_MODE_CBR, 0, V4L2_MPEG_VIDEO_BITRATE_MODE_CBR);
	stream->gop = v4l2_ctrl_new_std(h, &control_ops, V4L2_CID_MPEG_VIDEO_GOP_SIZE, 0, 10000, 1, 60);
	/* 0: as the size of the group of pictures says. */
	stream->i_period = v4l2_ctrl_new_std(h, &control_ops, V4L2_CID_MPEG_VIDEO_H264_I_PERIOD, 0, 10000, 1, 0);
	stream->repeat = v4l2_ctrl_new_std(h, &control_ops, V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 0, 1, 1, 0);
	v4l2_ctrl_new_std(h, &control_ops, V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 0, 0, 0, 0);
	v4l2_ctrl_new_std(h, &control_ops, V4L2_CID_MIN_BUFFERS_FOR_OUTPUT, 1, 32, 1, 1);
	v4l2_ctrl_new_std_menu(h, &control_ops, V4L2_CID_MPEG_VIDEO_HEADER_MODE,
			       V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME,
			       BIT(V4L2_MPEG_VIDEO_HEADER_MODE_SEPARATE),
			       V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME);
	stream->profile = v4l2_ctrl_new_std_menu(h, &control_ops, V4L2_CID_MPEG_VIDEO_H264_PROFILE,
						 V4L2_MPEG_VIDEO_H264_PROFILE_HIGH,
						 BIT(V4L2_MPEG_VIDEO_H264_PROFILE_EXTENDED),
						 V4L2_MPEG_VIDEO_H264_PROFILE_HIGH);
	stream->level = v4l2_ctrl_new_std_menu(h, &control_ops, V4L2_CID_MPEG_VIDEO_H264_LEVEL,
					       V4L2_MPEG_VIDEO_H264_LEVEL_5_1, 0, level);
	stream->fh.ctrl_handler = h;
	return h->error ?: v4l2_ctrl_handler_setup(h);
}

static u8 level_idc(s32 level)
{
	static const u8 idc[] = { 10, 11, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51 };

	return idc[clamp(level, 0, (s32)ARRAY_SIZE(idc) - 1)];
}

static u8 profile_idc(s32 profile)
{
	switch (profile) {
	case V4L2_MPEG_VIDEO_H264_PROFILE_HIGH:
		return 100;
	case V4L2_MPEG_VIDEO_H264_PROFILE_MAIN:
		return 77;
	}
	return 66;
}

/* Colours of V4L2 as ITU-T H.273 numbers them; 2 is "unspecified". */
static u8 primaries_of(u32 colorspace)
{
	switch (colorspace) {
	case V4L2_COLORSPACE_REC709:
	case V4L2_COLORSPACE_SRGB:
	case V4L2_COLORSPACE_JPEG:
		return 1;
	case V4L2_COLORSPACE_470_SYSTEM_M:
		return 4;
	case V4L2_COLORSPACE_470_SYSTEM_BG:
		return 5;
	case V4L2_COLORSPACE_SMPTE170M:
		return 6;
	case V4L2_COLORSPACE_SMPTE240M:
		return 7;
	case V4L2_COLORSPACE_BT2020:
		return 9;
	}
	return 2;
}

static u8 transfer_of(u32 function)
{
	switch (function) {
	case V4L2_XFER_FUNC_709:
		return 1;
	case V4L2_XFER_FUNC_SRGB:
		return 13;
	case V4L2_XFER_FUNC_SMPTE240M:
		return 7;
	case V4L2_XFER_FUNC_NONE:
		return 8;
	case V4L2_XFER_FUNC_SMPTE2084:
		return 16;
	}
	return 2;
}

static u8 matrix_of(u32 encoding)
{
	switch (encoding) {
	case V4L2_YCBCR_ENC_709:
	case V4L2_YCBCR_ENC_XV709:
		return 1;
	case V4L2_YCBCR_ENC_601:
	case V4L2_YCBCR_ENC_XV601:
		return 6;
	case V4L2_YCBCR_ENC_SMPTE240M:
		return 7;
	case V4L2_YCBCR_ENC_BT2020:
		return 9;
	}
	return 2;
}

static struct h264_sequence sequence_of(const struct stream *stream)
{
	const struct v4l2_pix_format_mplane *pix = &stream->raw;
	s32 profile = stream->profile->cur.val, level = stream->level->cur.val;
	u32 function = pix->xfer_func ?: V4L2_MAP_XFER_FUNC_DEFAULT(pix->colorspace);
	u32 encoding = pix->ycbcr_enc ?: V4L2_MAP_YCBCR_ENC_DEFAULT(pix->colorspace);
	u32 range = pix->quantization ?: V4L2_MAP_QUANTIZATION_DEFAULT(false, pix->colorspace, encoding);
	bool is_known = pix->colorspace != V4L2_COLORSPACE_DEFAULT;

	return (struct h264_sequence){
		.width = stream->crop.width,
		.height = stream->crop.height,
		.profile_idc = profile_idc(profile),
		.level_idc = low_level ? 10 : level_idc(level),
		.is_constrained = profile == V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE,
		.is_level_1b = !low_level && level == V4L2_MPEG_VIDEO_H264_LEVEL_1B,
		.frame_num = stream->interval.numerator,
		.frame_den = stream->interval.denominator,
		.is_full_range = range == V4L2_QUANTIZATION_FULL_RANGE,
		.primaries = primaries_of(pix->colorspace),
		.transfer = is_known || pix->xfer_func ? transfer_of(function) : 2,
		.matrix = is_known || pix->ycbcr_enc ? matrix_of(encoding) : 2,
	};
}

/* Coding */

static u32 key_interval(const struct stream *stream)
{
	return stream->i_period->cur.val ?: stream->gop->cur.val;
}

static struct h264_frame frame_in(const struct stream *stream, const u8 *at)
{
	u32 line = stream->raw.plane_fmt[0].bytesperline, left = stream->crop.left, top = stream->crop.top;
	const u8 *luma = at + top * line + left, *chroma = at + stream->raw.height * line;
	struct h264_frame frame = {
		.luma = luma, .luma_stride = line, .luma_step = 1, .chroma_stride = line, .rows_per_chroma = 2,
	};

	switch (stream->raw.pixelformat) {
	case V4L2_PIX_FMT_YUYV:
		frame.luma = at + top * line + left * 2;
		frame.luma_step = 2;
		frame.cb = frame.luma + 1;
		frame.cr = frame.luma + 3;
		frame.chroma_step = 4;
		frame.rows_per_chroma = 1;
		break;
	case V4L2_PIX_FMT_YUV420:
		frame.cb = chroma + top / 2 * (line / 2) + left / 2;
		frame.cr = frame.cb + stream->raw.height / 2 * (line / 2);
		frame.chroma_stride = line / 2;
		frame.chroma_step = 1;
		break;
	default:
		frame.cb = chroma + top / 2 * line + left;
		frame.cr = frame.cb + 1;
		frame.chroma_step = 2;
	}
	return frame;
}

static u32 bitrate_in_force(const struct stream *stream)
{
	return ignore_bitrate ? stream->started_bitrate : stream->bitrate->cur.val;
}

/* Codes a frame, and pads it so that the bitrate is as asked. */
static void code(struct stream *stream, struct vb2_v4l2_buffer *src, struct vb2_v4l2_buffer *dst)
{
	struct h264_encoder *encoder = &stream->encoder;
	struct vb2_buffer *coded = &dst->vb2_buf;
	struct h264_bytes out = { .data = vb2_plane_vaddr(coded, 0), .size = vb2_plane_size(coded, 0) }, slice;
	struct h264_frame frame = frame_in(stream, vb2_plane_vaddr(&src->vb2_buf, 0));
	s64 share = div_u64((u64)bitrate_in_force(stream) * stream->interval.numerator, stream->interval.denominator);
	bool is_forced = xchg(&stream->force_key, false) && !ignore_force_key;
	u32 interval = key_interval(stream), step;
	bool is_key = !stream->frames || is_forced || (interval && stream->since_key >= interval);

	stream->credit += share;
	/* A debt is paid back by a coarser picture. */
	step = stream->credit > 0 ? 0 : min_t(s64, div64_s64(-stream->credit, 2 * share + 1) + 1, H264_STEPS - 1);
	h264_code(encoder, &frame, is_key, step, &slice);
	if (is_key && (stream->repeat->cur.val || (!stream->frames && !(lose_parameters && streams > 1))))
		h264_write_parameters(encoder, &out);
	stream->credit -= 8 * (s64)(out.length + slice.length);
	if (stream->bitrate_mode->cur.val == V4L2_MPEG_VIDEO_BITRATE_MODE_CBR && stream->credit >= 8 * H264_PADDING_MIN) {
		size_t room = out.size - out.length - slice.length;
		size_t padding = min_t(u64, stream->credit / 8, room);

		h264_write_padding(&out, padding, stream->frames);
		stream->credit -= 8 * (s64)padding;
	}
	stream->credit = clamp(stream->credit, -60 * share, share);
	memcpy(out.data + out.length, slice.data, slice.length);
	out.length += slice.length;
	vb2_set_plane_payload(coded, 0, out.length);
	v4l2_m2m_buf_copy_metadata(src, dst);
	dst->flags &= ~(V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_PFRAME | V4L2_BUF_FLAG_BFRAME | V4L2_BUF_FLAG_LAST);
	dst->flags |= is_key ? V4L2_BUF_FLAG_KEYFRAME : V4L2_BUF_FLAG_PFRAME;
	dst->field = V4L2_FIELD_NONE;
	stream->since_key = is_key ? 1 : stream->since_key + 1;
	stream->frames++;
	frames++;
	key_frames += is_key;
	frames_imported += src->vb2_buf.memory == VB2_MEMORY_DMABUF;
}

static bool is_hanging(const struct stream *stream)
{
	return (hang_after && stream->frames >= hang_after) || (hang_on_key_frames && key_interval(stream) == 1);
}

static void work(struct work_struct *work)
{
	struct stream *stream = container_of(work, struct stream, work);
	struct v4l2_m2m_ctx *m2m = stream->fh.m2m_ctx;
	struct vb2_v4l2_buffer *src, *dst;
	bool is_silent;

	while (is_hanging(stream))
		msleep(20);
	src = v4l2_m2m_next_src_buf(m2m);
	dst = v4l2_m2m_next_dst_buf(m2m);
	if (!src || !dst)
		goto done;
	if (fail_after && stream->frames >= fail_after) {
		vb2_queue_error(v4l2_m2m_get_src_vq(m2m));
		vb2_queue_error(v4l2_m2m_get_dst_vq(m2m));
		goto done;
	}
	is_silent = silent_after && stream->frames >= silent_after;
	if (is_silent)
		stream->frames++;
	else
		code(stream, src, dst);
	src->sequence = stream->out_sequence++;
	if (!is_silent)
		dst->sequence = stream->cap_sequence++;
	if (v4l2_m2m_is_last_draining_src_buf(m2m, src)) {
		if (is_silent)
			vb2_set_plane_payload(&dst->vb2_buf, 0, 0);
		is_silent = false;
		dst->flags |= V4L2_BUF_FLAG_LAST;
		v4l2_m2m_mark_stopped(m2m);
		v4l2_event_queue_fh(&stream->fh, &ended);
	}
	v4l2_m2m_src_buf_remove(m2m);
	v4l2_m2m_buf_done(src, VB2_BUF_STATE_DONE);
	if (!is_silent) {
		v4l2_m2m_dst_buf_remove(m2m);
		v4l2_m2m_buf_done(dst, VB2_BUF_STATE_DONE);
	}
done:
	v4l2_m2m_job_finish(stream->device->m2m, m2m);
}

static void run(void *priv)
{
	struct stream *stream = priv;

	queue_work(stream->device->work, &stream->work);
}

static const struct v4l2_m2m_ops m2m_ops = { .device_run = run };

/* Queues */

static int setup_queue(struct vb2_queue *queue, unsigned int *buffers, unsigned int *planes, unsigned int sizes[],
		       struct device *devices[])
{
	struct stream *stream = vb2_get_drv_priv(queue);
	const struct v4l2_pix_format_mplane *pix = V4L2_TYPE_IS_OUTPUT(queue->type) ? &stream->raw : &stream->coded;

	if (*planes)
		return *planes != 1 || sizes[0] < pix->plane_fmt[0].sizeimage ? -EINVAL : 0;
	*planes = 1;
	sizes[0] = pix->plane_fmt[0].sizeimage;
	return 0;
}

static int validate_buffer(struct vb2_buffer *buffer)
{
	struct vb2_v4l2_buffer *v4l2 = to_vb2_v4l2_buffer(buffer);

	if (v4l2->field == V4L2_FIELD_ANY)
		v4l2->field = V4L2_FIELD_NONE;
	return v4l2->field == V4L2_FIELD_NONE ? 0 : -EINVAL;
}

static int prepare_buffer(struct vb2_buffer *buffer)
{
	struct stream *stream = vb2_get_drv_priv(buffer->vb2_queue);
	bool is_raw = V4L2_TYPE_IS_OUTPUT(buffer->vb2_queue->type);
	u32 needed = is_raw ? stream->raw.plane_fmt[0].sizeimage : CODED_MIN;

	if (vb2_plane_size(buffer, 0) < needed)
		return -EINVAL;
	if (!is_raw)
		vb2_set_plane_payload(buffer, 0, 0);
	return 0;
}

static void queue_buffer(struct vb2_buffer *buffer)
{
	struct vb2_v4l2_buffer *v4l2 = to_vb2_v4l2_buffer(buffer);
	struct stream *stream = vb2_get_drv_priv(buffer->vb2_queue);
	struct v4l2_m2m_ctx *m2m = stream->fh.m2m_ctx;

	if (V4L2_TYPE_IS_CAPTURE(buffer->vb2_queue->type) && vb2_is_streaming(buffer->vb2_queue) &&
	    v4l2_m2m_dst_buf_is_last(m2m)) {
		v4l2->field = V4L2_FIELD_NONE;
		v4l2->sequence = stream->cap_sequence++;
		v4l2_m2m_last_buffer_done(m2m, v4l2);
		v4l2_event_queue_fh(&stream->fh, &ended);
		return;
	}
	v4l2_m2m_buf_queue(m2m, v4l2);
}

static void return_buffers(struct stream *stream, struct vb2_queue *queue, enum vb2_buffer_state state)
{
	struct v4l2_m2m_ctx *m2m = stream->fh.m2m_ctx;
	struct vb2_v4l2_buffer *buffer;
	bool is_raw = V4L2_TYPE_IS_OUTPUT(queue->type);

	while ((buffer = is_raw ? v4l2_m2m_src_buf_remove(m2m) : v4l2_m2m_dst_buf_remove(m2m)))
		v4l2_m2m_buf_done(buffer, state);
}

static int begin_stream(struct stream *stream)
{
	struct h264_sequence sequence = sequence_of(stream);

	if (refuse_start)
		return -EIO;
	if (refuse_low_level && stream->level->cur.val < V4L2_MPEG_VIDEO_H264_LEVEL_4_0)
		return -EINVAL;
	if (refuse_highest && stream->bitrate->cur.val >= BITRATE_MAX)
		return -EINVAL;
	stream->frames = 0;
	stream->since_key = 0;
	stream->credit = 0;
	stream->cap_sequence = 0;
	stream->started_bitrate = stream->bitrate->cur.val;
	streams++;
	return h264_open(&stream->encoder, &sequence);
}

static int start(struct vb2_queue *queue, unsigned int count)
{
	struct stream *stream = vb2_get_drv_priv(queue);
	int failed = 0;

	v4l2_m2m_update_start_streaming_state(stream->fh.m2m_ctx, queue);
	if (V4L2_TYPE_IS_OUTPUT(queue->type))
		stream->out_sequence = 0;
	else
		failed = begin_stream(stream);
	if (failed)
		return_buffers(stream, queue, VB2_BUF_STATE_QUEUED);
	return failed;
}

static void stop(struct vb2_queue *queue)
{
	struct stream *stream = vb2_get_drv_priv(queue);
	struct v4l2_m2m_ctx *m2m = stream->fh.m2m_ctx;

	v4l2_m2m_update_stop_streaming_state(m2m, queue);
	return_buffers(stream, queue, VB2_BUF_STATE_ERROR);
	if (V4L2_TYPE_IS_CAPTURE(queue->type))
		h264_close(&stream->encoder);
	else if (v4l2_m2m_has_stopped(m2m))
		v4l2_event_queue_fh(&stream->fh, &ended);
}

static const struct vb2_ops queue_ops = {
	.queue_setup = setup_queue,
	.buf_out_validate = validate_buffer,
	.buf_prepare = prepare_buffer,
	.buf_queue = queue_buffer,
	.start_streaming = start,
	.stop_streaming = stop,
};

static int init_queues(void *priv, struct vb2_queue *src, struct vb2_queue *dst)
{
	struct stream *stream = priv;
	struct vb2_queue *queues[] = { src, dst };
	int i, failed;

	src->type = V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
	dst->type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
	for (i = 0; i < 2; i++) {
		struct vb2_queue *queue = queues[i];

		queue->io_modes = VB2_MMAP | VB2_DMABUF;
		queue->drv_priv = stream;
		queue->buf_struct_size = sizeof(struct v4l2_m2m_buffer);
		queue->ops = &queue_ops;
		queue->mem_ops = &vb2_vmalloc_memops;
		queue->timestamp_flags = V4L2_BUF_FLAG_TIMESTAMP_COPY;
		queue->lock = &stream->device->lock;
		queue->dev = stream->device->v4l2.dev;
		failed = vb2_queue_init(queue);
		if (failed)
			return failed;
	}
	return 0;
}

/* The device */

static int open_stream(struct file *file)
{
	struct board_device *device = video_drvdata(file);
	struct stream *stream = kzalloc(sizeof(*stream), GFP_KERNEL);
	int failed;

	if (!stream)
		return -ENOMEM;
	stream->device = device;
	INIT_WORK(&stream->work, work);
	v4l2_fh_init(&stream->fh, &device->video);
	stream->raw = (struct v4l2_pix_format_mplane){
		.width = 640, .height = 360, .pixelformat = V4L2_PIX_FMT_NV12, .colorspace = V4L2_COLORSPACE_SMPTE170M,
	};
	stream->interval = (struct v4l2_fract){ 1, 30 };
	fit_raw(&stream->raw);
	stream->crop = (struct v4l2_rect){ 0, 0, stream->raw.width, stream->raw.height };
	fit_coded(stream, &stream->coded);
	failed = add_controls(stream);
	if (failed)
		goto free;
	stream->fh.m2m_ctx = v4l2_m2m_ctx_init(device->m2m, stream, init_queues);
	if (IS_ERR(stream->fh.m2m_ctx)) {
		failed = PTR_ERR(stream->fh.m2m_ctx);
		goto free;
	}
	v4l2_fh_add(&stream->fh, file);
	return 0;
free:
	v4l2_ctrl_handler_free(&stream->controls);
	v4l2_fh_exit(&stream->fh);
	kfree(stream);
	return failed;
}

static int close_stream(struct file *file)
{
	struct stream *stream = stream_of(file);
	struct board_device *device = stream->device;

	v4l2_fh_del(&stream->fh, file);
	mutex_lock(&device->lock);
	v4l2_m2m_ctx_release(stream->fh.m2m_ctx);
	mutex_unlock(&device->lock);
	v4l2_ctrl_handler_free(&stream->controls);
	v4l2_fh_exit(&stream->fh);
	kfree(stream);
	return 0;
}

static const struct v4l2_file_operations file_ops = {
	.owner = THIS_MODULE,
	.open = open_stream,
	.release = close_stream,
	.poll = v4l2_m2m_fop_poll,
	.unlocked_ioctl = video_ioctl2,
	.mmap = v4l2_m2m_fop_mmap,
};

static int probe(struct platform_device *platform)
{
	struct board_device *device = devm_kzalloc(&platform->dev, sizeof(*device), GFP_KERNEL);
	struct video_device *video;
	int failed;

	if (!device)
		return -ENOMEM;
	mutex_init(&device->lock);
	failed = v4l2_device_register(&platform->dev, &device->v4l2);
	if (failed)
		return failed;
	device->work = alloc_workqueue(NAME, WQ_UNBOUND, 0);
	if (!device->work) {
		failed = -ENOMEM;
		goto unregister;
	}
	device->m2m = v4l2_m2m_init(&m2m_ops);
	if (IS_ERR(device->m2m)) {
		failed = PTR_ERR(device->m2m);
		goto free_work;
	}
	video = &device->video;
	strscpy(video->name, NAME, sizeof(video->name));
	video->fops = &file_ops;
	video->ioctl_ops = &ioctls;
	video->release = video_device_release_empty;
	video->lock = &device->lock;
	video->v4l2_dev = &device->v4l2;
	video->vfl_dir = VFL_DIR_M2M;
	video->device_caps = V4L2_CAP_VIDEO_M2M_MPLANE | V4L2_CAP_STREAMING;
	video_set_drvdata(video, device);
	platform_set_drvdata(platform, device);
	failed = video_register_device(video, VFL_TYPE_VIDEO, -1);
	if (!failed)
		return 0;
	v4l2_m2m_release(device->m2m);
free_work:
	destroy_workqueue(device->work);
unregister:
	v4l2_device_unregister(&device->v4l2);
	return failed;
}

static void remove(struct platform_device *platform)
{
	struct board_device *device = platform_get_drvdata(platform);

	video_unregister_device(&device->video);
	v4l2_m2m_release(device->m2m);
	destroy_workqueue(device->work);
	v4l2_device_unregister(&device->v4l2);
}

/* Taking the driver off a device that is open is no fault that it shows. */
static struct platform_driver driver = {
	.probe = probe,
	.remove = remove,
	.driver = { .name = NAME, .suppress_bind_attrs = true },
};

static struct platform_device *board;

static int __init load(void)
{
	int failed = platform_driver_register(&driver);

	if (failed)
		return failed;
	board = platform_device_register_simple(NAME, -1, NULL, 0);
	if (IS_ERR(board)) {
		platform_driver_unregister(&driver);
		return PTR_ERR(board);
	}
	return 0;
}

static void __exit unload(void)
{
	platform_device_unregister(board);
	platform_driver_unregister(&driver);
}

module_init(load);
module_exit(unload);
MODULE_DESCRIPTION("H.264 encoder of the emulated board");
MODULE_LICENSE("GPL");

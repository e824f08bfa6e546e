// SPDX-License-Identifier: GPL-2.0
/*
 * A hardware converter of raw frames as a driver shows it (V4L2 memory-to-memory), for boards that have none: it changes the
 * layout of frames and their size, and leaves their values as they are. Its bugs are switched on through its parameters, while
 * it runs as well.
 */
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/platform_device.h>
#include <linux/workqueue.h>
#include <media/v4l2-device.h>
#include <media/v4l2-ioctl.h>
#include <media/v4l2-mem2mem.h>
#include <media/videobuf2-v4l2.h>
#include <media/videobuf2-vmalloc.h>

#define NAME "board_convert"
#define SIZE_MIN 32U
#define WIDTH_MAX 1920U
#define HEIGHT_MAX 1200U

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
static bool other_colours;
module_param(other_colours, bool, 0644);
MODULE_PARM_DESC(other_colours, "widens the range of luma, and says nothing of it");

/* What it has done. */
static unsigned int frames, frames_imported, streams;
module_param(frames, uint, 0444);
MODULE_PARM_DESC(frames, "frames converted");
module_param(frames_imported, uint, 0444);
MODULE_PARM_DESC(frames_imported, "those of them that lay in imported memory (DMABuf)");
module_param(streams, uint, 0444);
MODULE_PARM_DESC(streams, "streams started");

struct board_device {
	struct v4l2_device v4l2;
	struct video_device video;
	struct v4l2_m2m_dev *m2m;
	struct mutex lock;
	struct workqueue_struct *work;
};

/* One conversion; side 0 is what goes in, and side 1 what comes out. */
struct stream {
	struct v4l2_fh fh;
	struct board_device *device;
	struct work_struct work;
	struct v4l2_pix_format_mplane side[2];
	u32 sequence[2], frames;
};

static struct stream *stream_of(struct file *file)
{
	return container_of(file_to_v4l2_fh(file), struct stream, fh);
}

static struct v4l2_pix_format_mplane *side_of(struct stream *stream, u32 type)
{
	return &stream->side[V4L2_TYPE_IS_CAPTURE(type)];
}

/* Formats */

static const u32 formats[] = { V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_YUV420, V4L2_PIX_FMT_YUYV };

static bool is_packed(const struct v4l2_pix_format_mplane *pix)
{
	return pix->pixelformat == V4L2_PIX_FMT_YUYV;
}

static void fit(struct v4l2_pix_format_mplane *pix)
{
	struct v4l2_plane_pix_format *plane = &pix->plane_fmt[0];
	u32 i, line;

	for (i = 0; i < ARRAY_SIZE(formats) && formats[i] != pix->pixelformat; i++)
		;
	if (i == ARRAY_SIZE(formats))
		pix->pixelformat = formats[0];
	pix->width = clamp(pix->width, SIZE_MIN, WIDTH_MAX) & ~1U;
	pix->height = clamp(pix->height, SIZE_MIN, HEIGHT_MAX) & ~1U;
	pix->field = V4L2_FIELD_NONE;
	pix->num_planes = 1;
	pix->flags = 0;
	if (pix->colorspace == V4L2_COLORSPACE_DEFAULT)
		pix->colorspace = V4L2_COLORSPACE_SMPTE170M;
	line = is_packed(pix) ? pix->width * 2 : pix->width;
	/* A wider line than needed is taken as it is, so that others' buffers can be imported. */
	plane->bytesperline = clamp(plane->bytesperline, line, 4 * WIDTH_MAX) & ~1U;
	plane->sizeimage = plane->bytesperline * pix->height;
	if (!is_packed(pix))
		plane->sizeimage += plane->sizeimage / 2;
	memset(plane->reserved, 0, sizeof(plane->reserved));
}

static int query_cap(struct file *file, void *priv, struct v4l2_capability *cap)
{
	strscpy(cap->driver, NAME, sizeof(cap->driver));
	strscpy(cap->card, "converter of the emulated board", sizeof(cap->card));
	strscpy(cap->bus_info, "platform:" NAME, sizeof(cap->bus_info));
	return 0;
}

static int enum_format(struct file *file, void *priv, struct v4l2_fmtdesc *f)
{
	if (f->index >= ARRAY_SIZE(formats))
		return -EINVAL;
	f->pixelformat = formats[f->index];
	return 0;
}

static int enum_sizes(struct file *file, void *priv, struct v4l2_frmsizeenum *f)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(formats) && formats[i] != f->pixel_format; i++)
		;
	if (f->index || i == ARRAY_SIZE(formats))
		return -EINVAL;
	f->type = V4L2_FRMSIZE_TYPE_STEPWISE;
	f->stepwise = (struct v4l2_frmsize_stepwise){ SIZE_MIN, WIDTH_MAX, 2, SIZE_MIN, HEIGHT_MAX, 2 };
	return 0;
}

static int get_format(struct file *file, void *priv, struct v4l2_format *f)
{
	f->fmt.pix_mp = *side_of(stream_of(file), f->type);
	return 0;
}

static int try_format(struct file *file, void *priv, struct v4l2_format *f)
{
	fit(&f->fmt.pix_mp);
	return 0;
}

static int set_format(struct file *file, void *priv, struct v4l2_format *f)
{
	struct stream *stream = stream_of(file);

	if (vb2_is_busy(v4l2_m2m_get_vq(stream->fh.m2m_ctx, f->type)))
		return -EBUSY;
	fit(&f->fmt.pix_mp);
	*side_of(stream, f->type) = f->fmt.pix_mp;
	return 0;
}

static const struct v4l2_ioctl_ops ioctls = {
	.vidioc_querycap = query_cap,
	.vidioc_enum_fmt_vid_out = enum_format,
	.vidioc_enum_fmt_vid_cap = enum_format,
	.vidioc_enum_framesizes = enum_sizes,
	.vidioc_g_fmt_vid_out_mplane = get_format,
	.vidioc_g_fmt_vid_cap_mplane = get_format,
	.vidioc_try_fmt_vid_out_mplane = try_format,
	.vidioc_try_fmt_vid_cap_mplane = try_format,
	.vidioc_s_fmt_vid_out_mplane = set_format,
	.vidioc_s_fmt_vid_cap_mplane = set_format,
	.vidioc_reqbufs = v4l2_m2m_ioctl_reqbufs,
	.vidioc_create_bufs = v4l2_m2m_ioctl_create_bufs,
	.vidioc_querybuf = v4l2_m2m_ioctl_querybuf,
	.vidioc_expbuf = v4l2_m2m_ioctl_expbuf,
	.vidioc_qbuf = v4l2_m2m_ioctl_qbuf,
	.vidioc_dqbuf = v4l2_m2m_ioctl_dqbuf,
	.vidioc_prepare_buf = v4l2_m2m_ioctl_prepare_buf,
	.vidioc_streamon = v4l2_m2m_ioctl_streamon,
	.vidioc_streamoff = v4l2_m2m_ioctl_streamoff,
};

/* Converting */

/* Where luma, Cb and Cr of a frame lie: the first of each, from one to the next, from row to row, and rows that share one. */
struct component {
	u8 *first;
	u32 step, stride, shared;
};

static void find_components(const struct v4l2_pix_format_mplane *pix, u8 *data, struct component of[3])
{
	u32 line = pix->plane_fmt[0].bytesperline, luma = line * pix->height;

	switch (pix->pixelformat) {
	case V4L2_PIX_FMT_YUYV:
		of[0] = (struct component){ data, 2, line, 1 };
		of[1] = (struct component){ data + 1, 4, line, 1 };
		of[2] = (struct component){ data + 3, 4, line, 1 };
		break;
	case V4L2_PIX_FMT_YUV420:
		of[0] = (struct component){ data, 1, line, 1 };
		of[1] = (struct component){ data + luma, 1, line / 2, 2 };
		of[2] = (struct component){ data + luma + luma / 4, 1, line / 2, 2 };
		break;
	default:
		of[0] = (struct component){ data, 1, line, 1 };
		of[1] = (struct component){ data + luma, 2, line, 2 };
		of[2] = (struct component){ data + luma + 1, 2, line, 2 };
	}
}

/* The nearest value of what goes in for each of what comes out. */
static void convert(struct stream *stream, u8 *from_data, u8 *to_data)
{
	const struct v4l2_pix_format_mplane *in = &stream->side[0], *out = &stream->side[1];
	struct component from[3], to[3];
	u32 i, x, y;

	find_components(in, from_data, from);
	find_components(out, to_data, to);
	for (i = 0; i < 3; i++) {
		u32 width = i ? out->width / 2 : out->width, height = out->height / to[i].shared;
		u32 in_width = i ? in->width / 2 : in->width, in_height = in->height / from[i].shared;

		for (y = 0; y < height; y++) {
			const u8 *row = from[i].first + y * in_height / height * from[i].stride;
			u8 *target = to[i].first + y * to[i].stride;

			for (x = 0; x < width; x++) {
				u8 value = row[x * in_width / width * from[i].step];

				if (other_colours && !i)
					value = clamp((value - 16) * 255 / 219, 0, 255);
				target[x * to[i].step] = value;
			}
		}
	}
}

static void work(struct work_struct *work)
{
	struct stream *stream = container_of(work, struct stream, work);
	struct v4l2_m2m_ctx *m2m = stream->fh.m2m_ctx;
	struct vb2_v4l2_buffer *src, *dst;
	u8 *from, *to;

	while (hang_after && stream->frames >= hang_after)
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
	src->sequence = stream->sequence[0]++;
	v4l2_m2m_src_buf_remove(m2m);
	if (!silent_after || stream->frames < silent_after) {
		from = vb2_plane_vaddr(&src->vb2_buf, 0);
		to = vb2_plane_vaddr(&dst->vb2_buf, 0);
		if (from && to)
			convert(stream, from, to);
		vb2_set_plane_payload(&dst->vb2_buf, 0, stream->side[1].plane_fmt[0].sizeimage);
		v4l2_m2m_buf_copy_metadata(src, dst);
		dst->field = V4L2_FIELD_NONE;
		dst->sequence = stream->sequence[1]++;
		frames++;
		frames_imported += src->vb2_buf.memory == VB2_MEMORY_DMABUF;
		v4l2_m2m_dst_buf_remove(m2m);
		v4l2_m2m_buf_done(dst, from && to ? VB2_BUF_STATE_DONE : VB2_BUF_STATE_ERROR);
	}
	stream->frames++;
	v4l2_m2m_buf_done(src, VB2_BUF_STATE_DONE);
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
	u32 needed = side_of(vb2_get_drv_priv(queue), queue->type)->plane_fmt[0].sizeimage;

	if (*planes)
		return *planes != 1 || sizes[0] < needed ? -EINVAL : 0;
	*planes = 1;
	sizes[0] = needed;
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
	u32 needed = side_of(stream, buffer->vb2_queue->type)->plane_fmt[0].sizeimage;

	return vb2_plane_size(buffer, 0) < needed ? -EINVAL : 0;
}

static void queue_buffer(struct vb2_buffer *buffer)
{
	struct stream *stream = vb2_get_drv_priv(buffer->vb2_queue);

	v4l2_m2m_buf_queue(stream->fh.m2m_ctx, to_vb2_v4l2_buffer(buffer));
}

static void return_buffers(struct stream *stream, struct vb2_queue *queue, enum vb2_buffer_state state)
{
	struct v4l2_m2m_ctx *m2m = stream->fh.m2m_ctx;
	struct vb2_v4l2_buffer *buffer;
	bool is_in = V4L2_TYPE_IS_OUTPUT(queue->type);

	while ((buffer = is_in ? v4l2_m2m_src_buf_remove(m2m) : v4l2_m2m_dst_buf_remove(m2m)))
		v4l2_m2m_buf_done(buffer, state);
}

static int start(struct vb2_queue *queue, unsigned int count)
{
	struct stream *stream = vb2_get_drv_priv(queue);

	stream->sequence[V4L2_TYPE_IS_CAPTURE(queue->type)] = 0;
	if (V4L2_TYPE_IS_OUTPUT(queue->type))
		return 0;
	if (refuse_start) {
		return_buffers(stream, queue, VB2_BUF_STATE_QUEUED);
		return -EIO;
	}
	stream->frames = 0;
	streams++;
	return 0;
}

static void stop(struct vb2_queue *queue)
{
	return_buffers(vb2_get_drv_priv(queue), queue, VB2_BUF_STATE_ERROR);
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
	int i, failed;

	if (!stream)
		return -ENOMEM;
	stream->device = device;
	INIT_WORK(&stream->work, work);
	v4l2_fh_init(&stream->fh, &device->video);
	for (i = 0; i < 2; i++) {
		stream->side[i].width = 640;
		stream->side[i].height = 360;
		fit(&stream->side[i]);
	}
	stream->fh.m2m_ctx = v4l2_m2m_ctx_init(device->m2m, stream, init_queues);
	if (IS_ERR(stream->fh.m2m_ctx)) {
		failed = PTR_ERR(stream->fh.m2m_ctx);
		v4l2_fh_exit(&stream->fh);
		kfree(stream);
		return failed;
	}
	v4l2_fh_add(&stream->fh, file);
	return 0;
}

static int close_stream(struct file *file)
{
	struct stream *stream = stream_of(file);
	struct board_device *device = stream->device;

	v4l2_fh_del(&stream->fh, file);
	mutex_lock(&device->lock);
	v4l2_m2m_ctx_release(stream->fh.m2m_ctx);
	mutex_unlock(&device->lock);
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
MODULE_DESCRIPTION("converter of the emulated board");
MODULE_LICENSE("GPL");

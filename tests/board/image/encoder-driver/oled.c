// SPDX-License-Identifier: GPL-2.0
/*
 * An I2C bus with a display on it, for boards that have none: an adapter whose one device, at the address 0x3c, understands the
 * commands of an SSD1306 or of an SH1106 as their data sheets define them, and shows what whoever stands in front of it sees.
 * It can be pulled out, which takes its power away, and its bus can hang.
 *
 * /sys/kernel/debug/board_oled/image   what is seen: eight strips of 128 columns, a byte each, the uppermost pixel lowest
 */
#include <linux/module.h>
#include <linux/debugfs.h>
#include <linux/i2c.h>
#include <linux/platform_device.h>
#include <linux/wait.h>

#define NAME "board_oled"
#define ADDRESS 0x3c
#define STRIPS 8
#define COLUMNS 128
/* The SH1106 has more columns than displays show. */
#define COLUMNS_MAX 132
#define HANGS_FOR (60 * HZ)

static char *chip = "ssd1306";
module_param(chip, charp, 0444);
MODULE_PARM_DESC(chip, "ssd1306 or sh1106");

/* What it has done. */
static unsigned int transfers, refused, unknown, lit_times;
module_param(transfers, uint, 0444);
MODULE_PARM_DESC(transfers, "messages that it has acknowledged");
module_param(refused, uint, 0444);
MODULE_PARM_DESC(refused, "messages that nobody has acknowledged");
module_param(unknown, uint, 0444);
MODULE_PARM_DESC(unknown, "commands that its chip does not have");
module_param(lit_times, uint, 0444);
MODULE_PARM_DESC(lit_times, "times that it was switched on while it was dark");

static DEFINE_MUTEX(lock);
static DECLARE_WAIT_QUEUE_HEAD(hangs);
static bool hang, absent;

/* The chip, with what its commands have set. */
static struct {
	u8 memory[STRIPS][COLUMNS_MAX];
	unsigned int page, column, start;
	/* How many bytes of a command are missing, and what came of it so far. */
	unsigned int missing, given;
	u8 command[8];
	u8 contrast, multiplex;
	bool on, supplied, by_pages, columns_turned, rows_turned, inverse, all;
} oled;

static bool is_sh1106(void)
{
	return chip[1] == 'h';
}

static unsigned int columns(void)
{
	return is_sh1106() ? COLUMNS_MAX : COLUMNS;
}

/* After power up: registers as the data sheets say, and anything in the memory. */
static void power_up(void)
{
	unsigned int i;

	memset(&oled, 0, sizeof(oled));
	for (i = 0; i < sizeof(oled.memory); i++)
		oled.memory[i / COLUMNS_MAX][i % COLUMNS_MAX] = 0x5a ^ (i * 7);
	oled.contrast = 0x7f;
	oled.multiplex = 63;
	/* The SH1106 supplies itself, and knows nothing but pages. */
	oled.supplied = is_sh1106();
	oled.by_pages = true;
}

static unsigned int arguments(u8 command)
{
	switch (command) {
	case 0x81: case 0xa8: case 0xd3: case 0xd5: case 0xd9: case 0xda: case 0xdb:
		return 1;
	case 0xad:
		return is_sh1106() ? 1 : 0;
	case 0x20: case 0x8d:
		return is_sh1106() ? 0 : 1;
	case 0x21: case 0x22: case 0xa3:
		return is_sh1106() ? 0 : 2;
	case 0x29: case 0x2a:
		return is_sh1106() ? 0 : 5;
	case 0x26: case 0x27:
		return is_sh1106() ? 0 : 6;
	}
	return 0;
}

static void run(const u8 *command)
{
	u8 first = command[0], value = command[1];

	switch (first) {
	case 0x00 ... 0x0f:
		oled.column = (oled.column & 0xf0) | first;
		return;
	case 0x10 ... 0x1f:
		oled.column = (oled.column & 0x0f) | (first & 0x0f) << 4;
		return;
	case 0x40 ... 0x7f:
		oled.start = first & 0x3f;
		return;
	case 0xb0 ... 0xb7:
		oled.page = first & 7;
		return;
	case 0x81:
		oled.contrast = value;
		return;
	case 0xa0 ... 0xa1:
		oled.columns_turned = first & 1;
		return;
	case 0xa4 ... 0xa5:
		oled.all = first & 1;
		return;
	case 0xa6 ... 0xa7:
		oled.inverse = first & 1;
		return;
	case 0xa8:
		oled.multiplex = value & 0x3f;
		return;
	case 0xae ... 0xaf:
		if ((first & 1) && !oled.on)
			lit_times++;
		oled.on = first & 1;
		return;
	case 0xc0: case 0xc8:
		oled.rows_turned = first == 0xc8;
		return;
	case 0xd3: case 0xd5: case 0xd9: case 0xda: case 0xdb: case 0xe3:
		return;
	case 0x30 ... 0x33:
	case 0xad:
		if (!is_sh1106())
			break;
		if (first == 0xad)
			oled.supplied = value == 0x8b;
		return;
	case 0x8d:
		if (is_sh1106())
			break;
		oled.supplied = value & 4;
		return;
	case 0x20:
		if (is_sh1106())
			break;
		oled.by_pages = (value & 3) == 2;
		return;
	case 0x2e:
		if (is_sh1106())
			break;
		return;
	}
	unknown++;
}

static void take_command(u8 byte)
{
	if (!oled.missing) {
		oled.given = 0;
		oled.missing = 1 + arguments(byte);
	}
	oled.command[oled.given++] = byte;
	if (!--oled.missing)
		run(oled.command);
}

static void take_data(u8 byte)
{
	if (!oled.by_pages) {
		unknown++;
		return;
	}
	/* The SSD1306 begins the same page again; the SH1106 stays behind its last column. */
	if (oled.column >= columns()) {
		if (is_sh1106())
			return;
		oled.column = 0;
	}
	oled.memory[oled.page][oled.column++] = byte;
}

static void take(const u8 *bytes, unsigned int length)
{
	unsigned int i = 0;

	while (i < length) {
		u8 control = bytes[i++];
		bool is_data = control & 0x40, is_one = control & 0x80;

		if (control & 0x3f)
			unknown++;
		for (; i < length; i++) {
			if (is_data)
				take_data(bytes[i]);
			else
				take_command(bytes[i]);
			if (is_one) {
				i++;
				break;
			}
		}
	}
}

static int transfer(struct i2c_adapter *adapter, struct i2c_msg *messages, int count)
{
	int i;

	if (READ_ONCE(hang)) {
		long left = wait_event_killable_timeout(hangs, !READ_ONCE(hang), HANGS_FOR);

		if (left <= 0)
			return left ? left : -ETIMEDOUT;
	}
	mutex_lock(&lock);
	for (i = 0; i < count; i++) {
		if (messages[i].addr != ADDRESS || absent) {
			refused++;
			mutex_unlock(&lock);
			return -ENXIO;
		}
		transfers++;
		if (messages[i].flags & I2C_M_RD)
			memset(messages[i].buf, oled.on ? 0 : 0x40, messages[i].len);
		else
			take(messages[i].buf, messages[i].len);
	}
	mutex_unlock(&lock);
	return count;
}

static u32 functionality(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C | (I2C_FUNC_SMBUS_EMUL & ~I2C_FUNC_SMBUS_QUICK);
}

static const struct i2c_algorithm algorithm = {
	.xfer = transfer,
	.functionality = functionality,
};

static struct i2c_adapter adapter = {
	.owner = THIS_MODULE,
	.name = "board display bus",
	.algo = &algorithm,
};

/* Whether a pixel is lit for whoever stands in front of a module that is mounted as its maker means it. */
static bool is_lit(unsigned int x, unsigned int y)
{
	unsigned int column = oled.columns_turned ? x : COLUMNS - 1 - x;
	unsigned int row = oled.rows_turned ? y : 63 - y;
	bool bit;

	if (!oled.on || !oled.supplied || row > oled.multiplex)
		return false;
	if (oled.all)
		return true;
	row = (row + oled.start) % 64;
	column += is_sh1106() ? 2 : 0;
	bit = oled.memory[row / 8][column] >> (row % 8) & 1;
	return bit != oled.inverse;
}

static ssize_t read_image(struct file *file, char __user *to, size_t length, loff_t *at)
{
	static u8 image[STRIPS * COLUMNS];
	unsigned int x, y;
	ssize_t read;

	mutex_lock(&lock);
	memset(image, 0, sizeof(image));
	for (y = 0; y < 8 * STRIPS; y++)
		for (x = 0; x < COLUMNS; x++)
			if (is_lit(x, y))
				image[y / 8 * COLUMNS + x] |= 1 << (y % 8);
	read = simple_read_from_buffer(to, length, at, image, sizeof(image));
	mutex_unlock(&lock);
	return read;
}

static const struct file_operations image_operations = {
	.owner = THIS_MODULE,
	.read = read_image,
	.llseek = default_llseek,
};

static int set_absent(const char *text, const struct kernel_param *param)
{
	bool was = absent;
	int failed;

	mutex_lock(&lock);
	failed = param_set_bool(text, param);
	/* Its power goes with it. */
	if (!failed && (absent || was))
		power_up();
	mutex_unlock(&lock);
	return failed;
}

static int set_hang(const char *text, const struct kernel_param *param)
{
	int failed = param_set_bool(text, param);

	wake_up_all(&hangs);
	return failed;
}

static const struct kernel_param_ops absent_ops = { .set = set_absent, .get = param_get_bool };
static const struct kernel_param_ops hang_ops = { .set = set_hang, .get = param_get_bool };
module_param_cb(absent, &absent_ops, &absent, 0644);
MODULE_PARM_DESC(absent, "it is pulled out, and acknowledges nothing");
module_param_cb(hang, &hang_ops, &hang, 0644);
MODULE_PARM_DESC(hang, "its bus hangs, for a minute at most");

static struct platform_device *board;
static struct dentry *folder;

static int __init load(void)
{
	int failed;

	power_up();
	board = platform_device_register_simple(NAME, -1, NULL, 0);
	if (IS_ERR(board))
		return PTR_ERR(board);
	adapter.dev.parent = &board->dev;
	failed = i2c_add_adapter(&adapter);
	if (failed) {
		platform_device_unregister(board);
		return failed;
	}
	folder = debugfs_create_dir(NAME, NULL);
	debugfs_create_file("image", 0444, folder, NULL, &image_operations);
	return 0;
}

static void __exit unload(void)
{
	debugfs_remove(folder);
	WRITE_ONCE(hang, false);
	wake_up_all(&hangs);
	i2c_del_adapter(&adapter);
	platform_device_unregister(board);
}

module_init(load);
module_exit(unload);
MODULE_DESCRIPTION("I2C bus of the emulated board, with a display on it");
MODULE_LICENSE("GPL");

//! The pipelines of every board profile and of every kind of source, as reviewed text.
//!
//! `FIRSTMILE_BLESS=1 cargo test --test packaging pipelines` writes the files; read the difference before you
//! commit it.

use std::{collections::BTreeSet, fs};

use firstmile::{
    board::{self, CameraDevice, MicrophoneDevice, Profile, VideoFormat},
    capture::{
        CameraSource, FrameFormat, JpegDecoderSpec, MicrophoneSource, PipelineDescription, Request,
        SourceElements, SourcePlan, SourceSpec, WantedFrames, audio_encoder_names, choose_mode,
        converter_names, encoder_pipelines, importing_pipeline, jpeg_decoder, jpeg_decoder_names,
        offers, source_pipeline, video_encoder_layouts, video_encoder_names,
    },
};
use gstreamer_video::VideoFormat as VideoLayout;

use crate::generated;

/// Cameras whose modes were written down, as `tests/cameras/NAME.caps`.
const CAMERAS: [&str; 4] = ["webcam", "hdmi-dongle", "hdmi-receiver", "vivid"];

/// The layouts that the first encoder of a request takes.
fn layouts_of(request: &Request) -> &'static [VideoLayout] {
    video_encoder_layouts(&request.encoders.video[0])
}

/// The pipeline of a source that is opened first: its frames go to the encoder as they are, if they can.
fn pipeline_of(
    spec: &SourceSpec,
    elements: &SourceElements,
    request: &Request,
) -> PipelineDescription {
    source_pipeline(spec, elements, &request.video, &wanted_of(request), &request.audio)
}

fn wanted_of(request: &Request) -> WantedFrames {
    WantedFrames::OneOf(layouts_of(request).to_vec())
}

/// The elements with a converter of a device, where that can do what the source needs.
fn with_converter(
    spec: &SourceSpec,
    decoder: &'static JpegDecoderSpec,
    converter: &str,
    request: &Request,
) -> Option<SourceElements> {
    let elements = SourceElements::in_software(decoder);
    elements.with_converter(converter, spec, &request.video, &wanted_of(request))
}

/// The elements that a source may go through, in the order in which they are tried, each with a title.
fn elements_of(spec: &SourceSpec, request: &Request) -> Vec<(String, SourceElements)> {
    let mut all = Vec::new();
    for (title, decoder) in decoders_of(spec, request) {
        let of_devices = request.converters.raw.iter().filter_map(|name| {
            let elements = with_converter(spec, decoder, name, request)?;
            Some((format!("{title}, {name}"), elements))
        });
        let of_devices: Vec<_> = of_devices.collect();
        let title = if of_devices.is_empty() { title } else { format!("{title}, videoconvert") };
        all.extend(of_devices);
        all.push((title, SourceElements::in_software(decoder)));
    }
    all
}

fn drawn() -> FrameFormat {
    FrameFormat::drawn(VideoLayout::I420)
}

/// The candidates of a source if its devices were connected, each with a title.
fn specs_of(plan: SourcePlan, request: &Request) -> Vec<(String, SourceSpec)> {
    let cameras = |formats: &[VideoFormat]| {
        CAMERAS.map(|name| {
            let caps = fs::read_to_string(format!("tests/cameras/{name}.caps")).expect("caps");
            let offers = offers(caps.trim_end().trim_end_matches(';')).expect("caps");
            let layouts = layouts_of(request);
            let choice = choose_mode(&offers, &request.video, formats, layouts);
            let mode = choice.chosen.expect("a mode");
            let node = "/dev/video0".into();
            (format!("source, {name}"), SourceSpec::V4l2 { node, mode })
        })
    };
    match plan {
        SourcePlan::V4l2 { formats, .. } => cameras(&formats).to_vec(),
        SourcePlan::Hdmi { .. } => cameras(&[VideoFormat::Raw])[2..3].to_vec(),
        SourcePlan::Alsa(_) => {
            vec![(
                "source, sound card".to_owned(),
                SourceSpec::Alsa("plughw:CARD=Device".to_owned()),
            )]
        }
        SourcePlan::Fixed(spec) => vec![("source".to_owned(), spec)],
    }
}

/// The decoders that a source may go through, in the order in which they are tried, each with a
/// title; where nothing is to be decoded, any.
fn decoders_of(spec: &SourceSpec, request: &Request) -> Vec<(String, &'static JpegDecoderSpec)> {
    let order = &request.decoders.jpeg;
    let known = order.iter().map(|name| {
        let title = if spec.is_jpeg() { format!(", {name}") } else { String::new() };
        (title, jpeg_decoder(name).expect("a known decoder"))
    });
    known.take(if spec.is_jpeg() { order.len() } else { 1 }).collect()
}

/// The sources of a request.
fn sources_of(request: &Request) -> Vec<String> {
    gstreamer::init().expect("GStreamer");
    let plans = SourcePlan::of(request).into_iter();
    let specs = plans.flat_map(|plan| specs_of(plan, request));
    let titled = specs.flat_map(|(title, spec)| {
        let with = |(with, elements): (String, SourceElements)| {
            format!("# {title}{with}\n{}", pipeline_of(&spec, &elements, request))
        };
        elements_of(&spec, request).into_iter().map(with).collect::<Vec<_>>()
    });
    titled.collect()
}

/// The pipelines of each encoder that may be chosen, in the order in which they are tried.
fn encoders_of(request: &Request) -> Vec<String> {
    let (videos, audios) = (&request.encoders.video, &request.encoders.audio);
    let with_each_video = videos.iter().map(|video| (video, &audios[0]));
    let with_each_audio = audios[1..].iter().map(|audio| (&videos[0], audio));
    let importing = videos.iter().filter_map(|video| {
        let pipeline = importing_pipeline(request, drawn(), video)?;
        Some(format!(
            "# encoder, {video}, while it reads the camera's frames where they lie\n{pipeline}"
        ))
    });
    with_each_video
        .chain(with_each_audio)
        .map(|(video, audio)| {
            let pipeline =
                encoder_pipelines(request, drawn(), video, audio).expect("known encoders");
            format!("# encoders, {video} and {audio}\n{pipeline}")
        })
        .chain(importing)
        .collect()
}

fn check(name: &str, text: &str) {
    generated::file(&format!("tests/pipelines/{name}.txt"), text);
}

#[test]
fn the_pipelines_of_each_board_are_as_reviewed() {
    for name in board::names() {
        let profile = Profile::named(name).expect("a valid profile");
        let request = Request::from(&profile);
        let parts = [sources_of(&request), encoders_of(&request)].concat();
        check(name, &parts.join("\n"));
    }
}

#[test]
fn the_pipelines_of_each_kind_of_source_are_as_reviewed() {
    let request = Request::from(&Profile::named("sim").expect("embedded"));
    let clip = || CameraSource::File { path: "/media/my clip \"one\".mp4".into() };
    for (name, camera, microphone) in [
        ("source-clip-with-audio", clip(), MicrophoneSource::CameraFile),
        (
            "source-clip-and-audio-file",
            clip(),
            MicrophoneSource::File { path: "/media/audio.flac".into() },
        ),
        (
            "source-launch",
            CameraSource::Launch {
                launch: "rtspsrc location=rtsp://10.0.0.2/1".to_owned(),
                passthrough: false,
            },
            MicrophoneSource::Launch { launch: "pipewiresrc".to_owned() },
        ),
        ("source-libcamera", CameraSource::Libcamera { name: None }, MicrophoneSource::Silence),
        (
            "source-passthrough",
            CameraSource::Launch {
                launch: "uvch264src auto-start=true".to_owned(),
                passthrough: true,
            },
            MicrophoneSource::Silence,
        ),
        (
            "source-jpeg",
            CameraSource::LaunchJpeg {
                launch: "souphttpsrc location=http://10.0.0.2/mjpeg ! multipartdemux".to_owned(),
            },
            MicrophoneSource::Silence,
        ),
        ("source-argus", CameraSource::Argus { sensor: 1 }, MicrophoneSource::Silence),
        (
            "source-hdmi",
            CameraSource::Hdmi {
                device: CameraDevice::Driver("unicam".to_owned()),
                subdevice: Some("/dev/v4l-subdev0".into()),
                edid: None,
            },
            MicrophoneSource::Alsa { device: MicrophoneDevice::Auto },
        ),
    ] {
        let request = Request { camera, microphone, ..request.clone() };
        check(name, &sources_of(&request).join("\n"));
    }
}

/// A source whose frames are turned or enlarged behind it: they come as large as they are.
#[test]
fn a_source_whose_frames_are_turned_has_the_pipelines_that_were_reviewed() {
    gstreamer::init().expect("GStreamer");
    let request = Request::from(&Profile::named("rpi4").expect("embedded"));
    // The camera; the microphone comes after it.
    let camera = SourcePlan::of(&request).into_iter().take(1);
    let mut texts = Vec::new();
    for (title, spec) in camera.flat_map(|plan| specs_of(plan, &request)) {
        for (decoder_title, decoder) in decoders_of(&spec, &request) {
            let software = SourceElements::in_software(decoder).without_scaling();
            let (video, frames) = (&request.video, wanted_of(&request));
            let of_device = |name: &String| software.with_converter(name, &spec, video, &frames);
            let of_devices = request.converters.raw.iter().filter_map(of_device);
            for elements in of_devices.chain([software]) {
                let pipeline = pipeline_of(&spec, &elements, &request);
                texts.push(format!("# {title}{decoder_title}\n{pipeline}"));
            }
        }
    }
    check("source-turned", &texts.join("\n"));
}

#[test]
fn every_reviewed_text_belongs_to_a_test() {
    let written: BTreeSet<String> = fs::read_dir("tests/pipelines")
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let sources = [
        "source-clip-with-audio",
        "source-clip-and-audio-file",
        "source-launch",
        "source-libcamera",
        "source-argus",
        "source-hdmi",
        "source-passthrough",
        "source-jpeg",
        "source-turned",
    ];
    let known: BTreeSet<String> =
        board::names().chain(sources).map(|name| format!("{name}.txt")).collect();
    assert_eq!(written, known);
}

#[test]
fn an_unknown_encoder_has_no_pipeline() {
    let request = Request::from(&Profile::named("sim").expect("embedded"));
    assert!(encoder_pipelines(&request, drawn(), "abacusenc", "avenc_aac").is_none());
    assert!(encoder_pipelines(&request, drawn(), "x264enc", "abacusenc").is_none());
}

/// The text is what GStreamer is given, so it must read it as it was meant.
#[test]
fn gstreamer_reads_the_text_back_with_names_and_values_intact() {
    use gstreamer::{self as gst, prelude::*};

    gst::init().expect("GStreamer");
    let mut request = Request::from(&Profile::named("sim").expect("embedded"));
    request.camera = CameraSource::File { path: "/media/my \\ clip \"one\" ! x.mp4".into() };
    for (_, spec) in SourcePlan::of(&request).into_iter().flat_map(|p| specs_of(p, &request)) {
        let (_, elements) = elements_of(&spec, &request)[0];
        let text = pipeline_of(&spec, &elements, &request).to_string();
        let pipeline = gst::parse::launch(&text).expect("reads").downcast::<gst::Bin>();
        let elements = pipeline.expect("a bin").children();
        let file = elements.iter().find(|element| element.has_property("location"));
        let location = file.expect("a file source").property::<String>("location");
        assert_eq!(location, "/media/my \\ clip \"one\" ! x.mp4");
    }
    let text =
        encoder_pipelines(&request, drawn(), "x264enc", "avenc_aac").expect("known").to_string();
    let pipeline = gst::parse::launch(&text).expect("reads").downcast::<gst::Bin>().expect("a bin");
    let encoder = pipeline.by_name("video_encoder").expect("the encoder");
    assert_eq!(encoder.property::<u32>("bitrate"), 2_500);
    assert_eq!(encoder.property::<u32>("key-int-max"), 60);
}

/// Every pipeline that any board, encoder or kind of source leads to.
fn every_pipeline() -> Vec<PipelineDescription> {
    let mut all = Vec::new();
    for name in board::names() {
        let request = Request::from(&Profile::named(name).expect("a valid profile"));
        let specs = SourcePlan::of(&request).into_iter().flat_map(|p| specs_of(p, &request));
        let others = [
            SourceSpec::Argus(0),
            SourceSpec::Libcamera(Some("imx219".to_owned())),
            SourceSpec::JpegLaunch("videotestsrc ! jpegenc".to_owned()),
        ];
        for spec in specs.map(|(_, spec)| spec).chain(others) {
            for name in jpeg_decoder_names().filter(|_| spec.is_jpeg()) {
                let decoder = jpeg_decoder(name).expect("known");
                all.push(pipeline_of(&spec, &SourceElements::in_software(decoder), &request));
            }
            let (_, decoder) = decoders_of(&spec, &request)[0];
            let software = SourceElements::in_software(decoder);
            all.push(pipeline_of(&spec, &software, &request));
            all.push(pipeline_of(&spec, &software.without_scaling(), &request));
            let converters = converter_names();
            let elements =
                converters.filter_map(|name| with_converter(&spec, decoder, name, &request));
            all.extend(elements.map(|elements| pipeline_of(&spec, &elements, &request)));
        }
        for video in video_encoder_names() {
            all.extend(importing_pipeline(&request, drawn(), video));
            for audio in audio_encoder_names() {
                all.push(
                    encoder_pipelines(&request, drawn(), video, audio).expect("known encoders"),
                );
            }
        }
    }
    all
}

#[test]
fn every_property_that_is_set_is_one_that_its_element_has() {
    gstreamer::init().expect("GStreamer");
    let mut set: Vec<(String, String, String)> = Vec::new();
    for pipeline in every_pipeline() {
        let properties = pipeline.properties();
        set.extend(properties.map(|(e, p, v)| (e.to_owned(), p.to_owned(), v.to_owned())));
    }
    set.sort();
    set.dedup();
    let mut recorded = BTreeSet::new();
    for (element, property, value) in &set {
        let place = format!("{element} {property}={value}");
        if gstreamer::ElementFactory::find(element).is_some() {
            assert_eq!(live_complaint(element, property, value), None, "{place}");
        } else {
            let table = fs::read_to_string(format!("tests/elements/{element}.txt"))
                .unwrap_or_else(|_| panic!("{element} is neither installed nor written down"));
            assert_eq!(complaint(&table, property, value), None, "{place}");
            recorded.insert(element.as_str());
        }
    }
    for element in [
        "nvv4l2h264enc",
        "mpph264enc",
        "mppjpegdec",
        "nvv4l2decoder",
        "pispconvert",
        "rgavideoconvert",
    ] {
        assert!(recorded.contains(element), "{element} was looked at");
    }
}

/// The hardware encoder of the Raspberry Pi is installed with its plug-in on many machines, but
/// its driver is not; so its controls are held against the written table everywhere.
#[test]
fn the_controls_of_the_raspberry_pi_encoder_are_within_its_bounds() {
    let table = fs::read_to_string("tests/elements/v4l2h264enc.txt").expect("the table");
    let mut seen = 0;
    for pipeline in every_pipeline() {
        for (element, property, value) in pipeline.properties() {
            if element == "v4l2h264enc" {
                assert_eq!(complaint(&table, property, value), None, "{property}={value}");
                seen += 1;
            }
        }
    }
    assert!(seen > 0);
}

#[test]
fn a_wrong_property_is_found_in_a_table() {
    let table = "level number 10 62\nmode choice 0=vbr 1=cbr\nlive flag\n\
                 extra-controls controls video_bitrate=25000..25000000/25000\n";
    for (property, value) in [
        ("level", "63"),
        ("level", "high"),
        ("mode", "2"),
        ("mode", "fixqp"),
        ("live", "yes please"),
        ("bitrate", "1"),
        ("extra-controls", "controls,video_bitrate=1000"),
        ("extra-controls", "controls,video_bitrate=30000"),
        ("extra-controls", "controls,bitrate=25000"),
    ] {
        assert!(complaint(table, property, value).is_some(), "{property}={value}");
    }
    for (property, value) in [
        ("level", "42"),
        ("mode", "cbr"),
        ("mode", "0"),
        ("live", "true"),
        ("extra-controls", "controls,video_bitrate=50000"),
    ] {
        assert_eq!(complaint(table, property, value), None, "{property}={value}");
    }
}

/// What is wrong with a property, asked of the element itself.
fn live_complaint(element: &str, property: &str, value: &str) -> Option<String> {
    use gstreamer::{glib, prelude::*};

    let made = gstreamer::ElementFactory::make(element).build().ok()?;
    let Some(about) = made.find_property(property) else {
        return Some("there is no such property".to_owned());
    };
    if !about.flags().contains(glib::ParamFlags::WRITABLE) {
        return Some("it cannot be written".to_owned());
    }
    match glib::Value::deserialize(value, about.value_type()) {
        Ok(read) => {
            // What is out of bounds is not taken.
            made.set_property_from_value(property, &read);
            let kept = made.property_value(property);
            (format!("{kept:?}") != format!("{read:?}")).then(|| format!("it becomes {kept:?}"))
        }
        Err(error) => Some(error.to_string()),
    }
}

/// What is wrong with a property, by a table of `tests/elements`.
fn complaint(table: &str, property: &str, value: &str) -> Option<String> {
    let line = table.lines().find_map(|line| line.strip_prefix(property)?.strip_prefix(' '));
    let Some(line) = line else { return Some("there is no such property".to_owned()) };
    let (kind, bounds) = line.split_once(' ').unwrap_or((line, ""));
    let fits = match kind {
        "text" => true,
        "flag" => matches!(value, "true" | "false"),
        "number" => bounds.split_once(' ').is_some_and(|(least, most)| {
            let read = |text: &str| text.parse::<i128>().ok();
            read(value).is_some_and(|v| read(least) <= Some(v) && Some(v) <= read(most))
        }),
        "choice" => bounds.split(' ').any(|choice| {
            choice.split_once('=').is_some_and(|(number, nick)| value == number || value == nick)
        }),
        "controls" => value.split(',').skip(1).all(|control| control_fits(bounds, control)),
        _ => false,
    };
    (!fits).then(|| format!("must be {line}"))
}

fn control_fits(bounds: &str, control: &str) -> bool {
    let Some((name, value)) = control.split_once('=') else { return false };
    let known = bounds.split(' ').find_map(|known| known.strip_prefix(name)?.strip_prefix('='));
    let range = known.and_then(|known| known.split_once('/'));
    let Some(((least, most), step)) = range.and_then(|(r, step)| Some((r.split_once("..")?, step)))
    else {
        return false;
    };
    let read = |text: &str| text.parse::<u64>().ok();
    match (read(value), read(least), read(most), read(step)) {
        (Some(value), Some(least), Some(most), Some(step)) => {
            (least..=most).contains(&value) && (value - least) % step == 0
        }
        _ => false,
    }
}

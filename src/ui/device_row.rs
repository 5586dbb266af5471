// SPDX-License-Identifier: GPL-3.0-or-later
//! A camera or microphone that is plugged in and not in use: add it, or drag it where it is to be seen.

use std::rc::Rc;

use gettextrs::gettext;
use gtk::{CompositeTemplate, accessible::Property, glib, prelude::*, subclass::prelude::*};
use studio::{
    message::MediaKind,
    source::{AudioSpec, Device, Spec, VideoSpec},
};

use super::{
    bridge::Bridge,
    drag::{self, Dragged},
    staging::{self, Place},
    words::{call, fill},
};

mod imp {
    use super::*;

    #[derive(Default, CompositeTemplate)]
    #[template(file = "device_row.ui")]
    pub struct DeviceRow {
        #[template_child]
        pub icon: TemplateChild<gtk::Image>,
        #[template_child]
        pub name: TemplateChild<gtk::Label>,
        #[template_child]
        pub add: TemplateChild<gtk::Button>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for DeviceRow {
        const NAME: &'static str = "AerialDeviceRow";
        type Type = super::DeviceRow;
        type ParentType = gtk::ListBoxRow;

        fn class_init(class: &mut Self::Class) {
            class.bind_template();
        }

        fn instance_init(obj: &glib::subclass::InitializingObject<Self>) {
            obj.init_template();
        }
    }

    impl ObjectImpl for DeviceRow {}
    impl WidgetImpl for DeviceRow {}
    impl ListBoxRowImpl for DeviceRow {}
}

glib::wrapper! {
    /// One device.
    pub struct DeviceRow(ObjectSubclass<imp::DeviceRow>)
        @extends gtk::Widget, gtk::ListBoxRow,
        @implements gtk::Accessible, gtk::Buildable, gtk::ConstraintTarget, gtk::Actionable;
}

impl DeviceRow {
    /// A row for this device.
    pub fn new(device: &Device, bridge: &Rc<Bridge>) -> DeviceRow {
        let row: DeviceRow = glib::Object::new();
        let imp = row.imp();
        let id = Some(device.id.clone());
        let (icon, spec) = match device.kind {
            MediaKind::Video => ("camera-web-symbolic", Spec::Video(VideoSpec::Camera(id))),
            MediaKind::Audio => (
                "audio-input-microphone-symbolic",
                Spec::Audio(AudioSpec::Mic(id)),
            ),
        };
        imp.icon.set_icon_name(Some(icon));
        imp.name.set_label(&device.name);
        imp.name.set_tooltip_text(Some(&device.name));
        call(
            &*imp.add,
            &fill(gettext("Add {name}"), &[("name", &device.name)]),
        );
        row.update_property(&[Property::Label(&device.name)]);
        drag::offer(
            &row,
            Dragged::Device {
                picture: device.kind == MediaKind::Video,
                spec: spec.to_string(),
            },
        );
        imp.add.connect_clicked(glib::clone!(
            #[weak]
            bridge,
            move |_| {
                let specs = vec![spec.clone()];
                glib::spawn_future_local(async move {
                    staging::add(&bridge, specs, Place::Free).await;
                });
            }
        ));
        row
    }
}

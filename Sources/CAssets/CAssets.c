// Written by scripts/list-assets.sh.
#include "CAssets.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char asset_icon_svg[] = {
#embed "../../Assets/icon.svg"
};
static const unsigned char asset_index_html[] = {
#embed "../../Assets/index.html"
};
static const unsigned char asset_script__base__api_js[] = {
#embed "../../Assets/script/base/api.js"
};
static const unsigned char asset_script__base__dom_js[] = {
#embed "../../Assets/script/base/dom.js"
};
static const unsigned char asset_script__base__format_js[] = {
#embed "../../Assets/script/base/format.js"
};
static const unsigned char asset_script__base__router_js[] = {
#embed "../../Assets/script/base/router.js"
};
static const unsigned char asset_script__base__session_js[] = {
#embed "../../Assets/script/base/session.js"
};
static const unsigned char asset_script__base__tabs_js[] = {
#embed "../../Assets/script/base/tabs.js"
};
static const unsigned char asset_script__components__action_js[] = {
#embed "../../Assets/script/components/action.js"
};
static const unsigned char asset_script__components__application_d_section_js[] = {
#embed "../../Assets/script/components/application-section.js"
};
static const unsigned char asset_script__components__chooser_js[] = {
#embed "../../Assets/script/components/chooser.js"
};
static const unsigned char asset_script__components__dialog_js[] = {
#embed "../../Assets/script/components/dialog.js"
};
static const unsigned char asset_script__components__facts_js[] = {
#embed "../../Assets/script/components/facts.js"
};
static const unsigned char asset_script__components__frame_js[] = {
#embed "../../Assets/script/components/frame.js"
};
static const unsigned char asset_script__components__host_d_card_js[] = {
#embed "../../Assets/script/components/host-card.js"
};
static const unsigned char asset_script__components__instance_d_card_js[] = {
#embed "../../Assets/script/components/instance-card.js"
};
static const unsigned char asset_script__components__instance_d_chooser_js[] = {
#embed "../../Assets/script/components/instance-chooser.js"
};
static const unsigned char asset_script__components__log_d_view_js[] = {
#embed "../../Assets/script/components/log-view.js"
};
static const unsigned char asset_script__components__meter_js[] = {
#embed "../../Assets/script/components/meter.js"
};
static const unsigned char asset_script__components__node_d_figures_js[] = {
#embed "../../Assets/script/components/node-figures.js"
};
static const unsigned char asset_script__components__plot_js[] = {
#embed "../../Assets/script/components/plot.js"
};
static const unsigned char asset_script__components__rollout_js[] = {
#embed "../../Assets/script/components/rollout.js"
};
static const unsigned char asset_script__components__table_js[] = {
#embed "../../Assets/script/components/table.js"
};
static const unsigned char asset_script__components__tabs_js[] = {
#embed "../../Assets/script/components/tabs.js"
};
static const unsigned char asset_script__components__timeline_js[] = {
#embed "../../Assets/script/components/timeline.js"
};
static const unsigned char asset_script__components__toast_js[] = {
#embed "../../Assets/script/components/toast.js"
};
static const unsigned char asset_script__events__leader_js[] = {
#embed "../../Assets/script/events/leader.js"
};
static const unsigned char asset_script__events__live_js[] = {
#embed "../../Assets/script/events/live.js"
};
static const unsigned char asset_script__events__log_d_feed_js[] = {
#embed "../../Assets/script/events/log-feed.js"
};
static const unsigned char asset_script__events__parser_js[] = {
#embed "../../Assets/script/events/parser.js"
};
static const unsigned char asset_script__events__stream_js[] = {
#embed "../../Assets/script/events/stream.js"
};
static const unsigned char asset_script__events__versions_d_feed_js[] = {
#embed "../../Assets/script/events/versions-feed.js"
};
static const unsigned char asset_script__main_js[] = {
#embed "../../Assets/script/main.js"
};
static const unsigned char asset_script__pages__applications_js[] = {
#embed "../../Assets/script/pages/applications.js"
};
static const unsigned char asset_script__pages__login_js[] = {
#embed "../../Assets/script/pages/login.js"
};
static const unsigned char asset_script__pages__logs_js[] = {
#embed "../../Assets/script/pages/logs.js"
};
static const unsigned char asset_script__pages__missing_js[] = {
#embed "../../Assets/script/pages/missing.js"
};
static const unsigned char asset_script__pages__node_js[] = {
#embed "../../Assets/script/pages/node.js"
};
static const unsigned char asset_script__pages__terminal_js[] = {
#embed "../../Assets/script/pages/terminal.js"
};
static const unsigned char asset_script__pages__versions_js[] = {
#embed "../../Assets/script/pages/versions.js"
};
static const unsigned char asset_script__terminal__connection_js[] = {
#embed "../../Assets/script/terminal/connection.js"
};
static const unsigned char asset_script__terminal__keys_js[] = {
#embed "../../Assets/script/terminal/keys.js"
};
static const unsigned char asset_script__terminal__parser_js[] = {
#embed "../../Assets/script/terminal/parser.js"
};
static const unsigned char asset_script__terminal__screen_js[] = {
#embed "../../Assets/script/terminal/screen.js"
};
static const unsigned char asset_script__terminal__view_js[] = {
#embed "../../Assets/script/terminal/view.js"
};
static const unsigned char asset_script__terminal__width_js[] = {
#embed "../../Assets/script/terminal/width.js"
};
static const unsigned char asset_script__text__line_js[] = {
#embed "../../Assets/script/text/line.js"
};
static const unsigned char asset_script__text__sgr_js[] = {
#embed "../../Assets/script/text/sgr.js"
};
static const unsigned char asset_script__text__visible_js[] = {
#embed "../../Assets/script/text/visible.js"
};
static const unsigned char asset_style__base_css[] = {
#embed "../../Assets/style/base.css"
};
static const unsigned char asset_style__colours_css[] = {
#embed "../../Assets/style/colours.css"
};
static const unsigned char asset_style__components_css[] = {
#embed "../../Assets/style/components.css"
};
static const unsigned char asset_style__frame_css[] = {
#embed "../../Assets/style/frame.css"
};
static const unsigned char asset_style__pages_css[] = {
#embed "../../Assets/style/pages.css"
};
static const unsigned char asset_style__terminal_css[] = {
#embed "../../Assets/style/terminal.css"
};

static const struct cassets_content files[] = {
    {"icon.svg", asset_icon_svg, sizeof asset_icon_svg},
    {"index.html", asset_index_html, sizeof asset_index_html},
    {"script/base/api.js", asset_script__base__api_js, sizeof asset_script__base__api_js},
    {"script/base/dom.js", asset_script__base__dom_js, sizeof asset_script__base__dom_js},
    {"script/base/format.js", asset_script__base__format_js, sizeof asset_script__base__format_js},
    {"script/base/router.js", asset_script__base__router_js, sizeof asset_script__base__router_js},
    {"script/base/session.js", asset_script__base__session_js, sizeof asset_script__base__session_js},
    {"script/base/tabs.js", asset_script__base__tabs_js, sizeof asset_script__base__tabs_js},
    {"script/components/action.js", asset_script__components__action_js, sizeof asset_script__components__action_js},
    {"script/components/application-section.js", asset_script__components__application_d_section_js, sizeof asset_script__components__application_d_section_js},
    {"script/components/chooser.js", asset_script__components__chooser_js, sizeof asset_script__components__chooser_js},
    {"script/components/dialog.js", asset_script__components__dialog_js, sizeof asset_script__components__dialog_js},
    {"script/components/facts.js", asset_script__components__facts_js, sizeof asset_script__components__facts_js},
    {"script/components/frame.js", asset_script__components__frame_js, sizeof asset_script__components__frame_js},
    {"script/components/host-card.js", asset_script__components__host_d_card_js, sizeof asset_script__components__host_d_card_js},
    {"script/components/instance-card.js", asset_script__components__instance_d_card_js, sizeof asset_script__components__instance_d_card_js},
    {"script/components/instance-chooser.js", asset_script__components__instance_d_chooser_js, sizeof asset_script__components__instance_d_chooser_js},
    {"script/components/log-view.js", asset_script__components__log_d_view_js, sizeof asset_script__components__log_d_view_js},
    {"script/components/meter.js", asset_script__components__meter_js, sizeof asset_script__components__meter_js},
    {"script/components/node-figures.js", asset_script__components__node_d_figures_js, sizeof asset_script__components__node_d_figures_js},
    {"script/components/plot.js", asset_script__components__plot_js, sizeof asset_script__components__plot_js},
    {"script/components/rollout.js", asset_script__components__rollout_js, sizeof asset_script__components__rollout_js},
    {"script/components/table.js", asset_script__components__table_js, sizeof asset_script__components__table_js},
    {"script/components/tabs.js", asset_script__components__tabs_js, sizeof asset_script__components__tabs_js},
    {"script/components/timeline.js", asset_script__components__timeline_js, sizeof asset_script__components__timeline_js},
    {"script/components/toast.js", asset_script__components__toast_js, sizeof asset_script__components__toast_js},
    {"script/events/leader.js", asset_script__events__leader_js, sizeof asset_script__events__leader_js},
    {"script/events/live.js", asset_script__events__live_js, sizeof asset_script__events__live_js},
    {"script/events/log-feed.js", asset_script__events__log_d_feed_js, sizeof asset_script__events__log_d_feed_js},
    {"script/events/parser.js", asset_script__events__parser_js, sizeof asset_script__events__parser_js},
    {"script/events/stream.js", asset_script__events__stream_js, sizeof asset_script__events__stream_js},
    {"script/events/versions-feed.js", asset_script__events__versions_d_feed_js, sizeof asset_script__events__versions_d_feed_js},
    {"script/main.js", asset_script__main_js, sizeof asset_script__main_js},
    {"script/pages/applications.js", asset_script__pages__applications_js, sizeof asset_script__pages__applications_js},
    {"script/pages/login.js", asset_script__pages__login_js, sizeof asset_script__pages__login_js},
    {"script/pages/logs.js", asset_script__pages__logs_js, sizeof asset_script__pages__logs_js},
    {"script/pages/missing.js", asset_script__pages__missing_js, sizeof asset_script__pages__missing_js},
    {"script/pages/node.js", asset_script__pages__node_js, sizeof asset_script__pages__node_js},
    {"script/pages/terminal.js", asset_script__pages__terminal_js, sizeof asset_script__pages__terminal_js},
    {"script/pages/versions.js", asset_script__pages__versions_js, sizeof asset_script__pages__versions_js},
    {"script/terminal/connection.js", asset_script__terminal__connection_js, sizeof asset_script__terminal__connection_js},
    {"script/terminal/keys.js", asset_script__terminal__keys_js, sizeof asset_script__terminal__keys_js},
    {"script/terminal/parser.js", asset_script__terminal__parser_js, sizeof asset_script__terminal__parser_js},
    {"script/terminal/screen.js", asset_script__terminal__screen_js, sizeof asset_script__terminal__screen_js},
    {"script/terminal/view.js", asset_script__terminal__view_js, sizeof asset_script__terminal__view_js},
    {"script/terminal/width.js", asset_script__terminal__width_js, sizeof asset_script__terminal__width_js},
    {"script/text/line.js", asset_script__text__line_js, sizeof asset_script__text__line_js},
    {"script/text/sgr.js", asset_script__text__sgr_js, sizeof asset_script__text__sgr_js},
    {"script/text/visible.js", asset_script__text__visible_js, sizeof asset_script__text__visible_js},
    {"style/base.css", asset_style__base_css, sizeof asset_style__base_css},
    {"style/colours.css", asset_style__colours_css, sizeof asset_style__colours_css},
    {"style/components.css", asset_style__components_css, sizeof asset_style__components_css},
    {"style/frame.css", asset_style__frame_css, sizeof asset_style__frame_css},
    {"style/pages.css", asset_style__pages_css, sizeof asset_style__pages_css},
    {"style/terminal.css", asset_style__terminal_css, sizeof asset_style__terminal_css},
};

size_t cassets_count(void) { return sizeof files / sizeof *files; }

struct cassets_content cassets_file(size_t index) { return files[index]; }

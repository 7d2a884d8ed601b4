"""The script that draws charts in a browser: Vega, Vega-Lite and their embedding, as they come with the package."""

from functools import cache

import vl_convert

_GLOBALS = "window.vegaEmbed = vegaEmbed; window.vega = vega;"


@cache
def script() -> str:
    """One classic script that sets `vegaEmbed` and `vega` on the window; 0.9 MB, built once a process in some seconds.

    It can stand in a `<script>` element as it is: it holds no closing tag and leaves no other name behind.
    """
    return "(()=>{" + str(vl_convert.javascript_bundle(_GLOBALS)).replace("</script", "<\\/script") + "\n})();\n"

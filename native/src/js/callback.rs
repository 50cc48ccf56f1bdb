use super::{Ctx, qjs};

/// A JavaScript function that native code keeps.
pub struct Callback {
    ctx: Ctx,
    function: qjs::JSValue,
}

impl Callback {
    /// None when `value` is no function.
    pub fn new(ctx: Ctx, value: qjs::JSValue) -> Option<Self> {
        // SAFETY: the value is alive during the call; JS_DupValue takes a reference of our own.
        unsafe { qjs::JS_IsFunction(ctx.0, value).then(|| Callback { ctx, function: qjs::JS_DupValue(ctx.0, value) }) }
    }

    /// Calls the function; takes ownership of `arguments`. False: it threw, and the exception is pending.
    pub fn call(&self, arguments: &mut [qjs::JSValue]) -> bool {
        let ctx = self.ctx.0;
        // SAFETY: arguments are ours to free; the function is kept alive by `self` and the caller's clone.
        unsafe {
            let result =
                qjs::JS_Call(ctx, self.function, qjs::JS_UNDEFINED, arguments.len() as i32, arguments.as_mut_ptr());
            for argument in arguments {
                qjs::JS_FreeValue(ctx, *argument);
            }
            let threw = qjs::JS_IsException(result);
            qjs::JS_FreeValue(ctx, result);
            !threw
        }
    }
}

impl Clone for Callback {
    fn clone(&self) -> Self {
        // SAFETY: takes one more reference to a live value.
        let function = unsafe { qjs::JS_DupValue(self.ctx.0, self.function) };
        Callback { ctx: self.ctx, function }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        // SAFETY: gives back the reference taken in `new` or `clone`.
        unsafe { qjs::JS_FreeValue(self.ctx.0, self.function) }
    }
}
